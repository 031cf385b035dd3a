"""What was seen of one scope: the only input of the judge, and what a kept file holds.

A recording is built by the collector from its database, or read from a file made by `memwarden run --keep`.
Times are Unix seconds (float), sizes bytes, CPU time seconds. Nothing here knows where the data came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Upper bounds in seconds of the first nine age buckets of a profile; the tenth has none.
AGE_BOUNDS_SECONDS = (1, 2, 5, 10, 30, 60, 300, 900, 3600)


class Frame(NamedTuple):
    """One line of code on a stack."""

    file: str
    line: int
    function: str


Stack = tuple[Frame, ...]
"""Innermost frame first."""


class SeriesKey(NamedTuple):
    """Which series: a metric of the scope (`process` is None) or of one of its processes.

    `process` is the index into `Recording.processes`: a process id alone may be used again within a run.
    `attribute` is "" or the value of the metric's one attribute (generation, type).
    """

    metric: str
    process: int | None = None
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Samples in the order of time; `time` strictly rises, both arrays have one length."""

    time: FloatArray
    value: FloatArray


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process of the scope."""

    pid: int
    parent_pid: int | None
    started: float
    last_seen: float
    ended: bool
    command: str
    executable: str
    runtime: str
    """"cpython 3.11.7", or "" where it is not known."""
    hooked: bool
    """Whether allocation sites are known."""
    reason: str
    """Why there is no hook, "" where there is one."""
    library_prefixes: tuple[str, ...] = ()
    """Folders whose code is not the user's own (standard library, site-packages)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Live allocation sites of one process at a moment. Row i of each array belongs to stack `stacks[i]`."""

    time: float
    process: int
    stacks: IntArray
    """Index into `Recording.stacks`, shape (n,)."""
    live_bytes: FloatArray
    """Estimated bytes, (n, 10): by age bucket (AGE_BOUNDS_SECONDS, the last bucket is open)."""
    blocks: FloatArray
    """Estimated blocks (not objects: a list is two blocks), (n, 10)."""
    samples: IntArray
    """Live samples behind the estimates, (n, 10)."""


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    bytes: float
    source: str
    """"option", "cgroup" or "available"."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once; kind: "run-started", "process-started", "process-ended", "verdict", …"""

    time: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Recording:
    """All that is known of one scope between `started` and `ended`."""

    scope: str
    command: str
    started: float
    ended: float
    interval: float
    """Seconds between two samples as scheduled; the judge's time scale follows it."""
    limit: MemoryLimit | None
    processes: tuple[ProcessInfo, ...]
    series: Mapping[SeriesKey, Series]
    stacks: tuple[Stack, ...] = ()
    profiles: tuple[Profile, ...] = ()
    events: tuple[Event, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """Free text of who recorded it: host, versions, the label of a corpus file."""

    def without_label(self, name: str) -> "Recording":
        """The same, and nothing said under this name."""
        return replace(self, labels={key: text for key, text in self.labels.items() if key != name})
