"""What a door hands to the store: one request, decoded, checked, and named so that it counts once.

Plain values, known to `otlp` and `store` alike; times are Unix microseconds, as PostgreSQL keeps them.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

from memwarden_collector.snapshots import Chunk

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Attributes = dict[str, Json]
Line = tuple[str, int, str]
"""File, line, function."""


class Signal(IntEnum):
    METRICS = 1
    PROFILES = 2
    LOGS = 3


def fingerprint(*parts: object) -> bytes:
    """16 bytes that stand for the parts: equal parts give equal bytes, on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class ResourceId(NamedTuple):
    """Who was measured: a scope as a whole (`pid` None), one of its processes, or a foreign resource."""

    scope: str
    kind: str
    """run, container, or service for what no sidecar of ours sent."""
    pid: int | None
    created: float | None
    """Unix seconds when the process was made: a process id alone is used again."""
    fp: bytes


class SeriesId(NamedTuple):
    """A series within its resource."""

    resource_fp: bytes
    metric: str
    attributes: str
    """Canonical JSON object."""
    shape: str = ""
    """"" for numbers, else the kind: one name may stand for a number and for a distribution."""


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What a series says about itself; the first to come is kept."""

    unit: str
    kind: str
    """gauge, sum, histogram, exponential_histogram, summary."""
    temporality: str
    """"", cumulative, delta."""
    monotonic: bool
    attribute: str
    """"" or the value of the one attribute; several as `key=value,key=value`."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A point that is not one number: of a histogram, an exponential histogram or a summary; what its kind has
    not is None or empty.
    """

    count: int
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets but the last; of a summary, its quantiles."""
    buckets: tuple[int, ...] = ()
    """Counts: one more than bounds; of an exponential histogram, those of positive values."""
    negative_buckets: tuple[int, ...] = ()
    scale: int | None = None
    """Exponential: bucket i holds values over base^i up to base^(i+1), base being 2^(2^-scale)."""
    positive_offset: int | None = None
    negative_offset: int | None = None
    zero_count: int | None = None
    zero_threshold: float | None = None
    quantiles: tuple[float, ...] = ()
    """Of a summary: the value of each of `bounds`."""


@dataclass(frozen=True, slots=True)
class StackTable:
    """The stacks of one request. Frames are made only for the stacks that the store has not seen."""

    fingerprints: Callable[[Sequence[int]], list[bytes]]
    frames: Callable[[int], tuple[Line, ...]]
    """Innermost first."""


@dataclass(slots=True)
class ProfileRow:
    """Live allocations of a process at one moment; row i of each array is (stack, age bucket)."""

    time: int
    table: StackTable
    stacks: "NDArray[int64]"
    """Indices into `table`."""
    ages: "NDArray[int64]"
    """Age buckets, 0 to 9."""
    live_bytes: "NDArray[int64]"
    blocks: "NDArray[int64]"
    samples: "NDArray[int64]"


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSet:
    """Series in the order in which one sender's points always come."""

    key: bytes
    """Stands for all of them: equal for equal ones, on this machine and others."""
    series: tuple[SeriesId, ...]
    infos: tuple[SeriesInfo, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Numbers of a set's series, one of each."""

    of: SeriesSet
    times: "NDArray[int64]"
    values: "NDArray[float64]"


class EventRow(NamedTuple):
    """What a sidecar tells that is no number."""

    time: int
    name: str
    body: str
    attributes: str
    """JSON object."""


@dataclass(slots=True)
class ResourceBlock:
    """What one request says about one resource."""

    identity: ResourceId
    attributes: Attributes
    wide: dict[int, dict[str, float | str]] = field(default_factory=dict)
    """Time → column → value: the scalars that the wide table knows."""
    narrow: list[tuple[int, SeriesId, float]] = field(default_factory=list)
    distributions: list[tuple[int, SeriesId, Distribution]] = field(default_factory=list)
    series: dict[SeriesId, SeriesInfo] = field(default_factory=dict)
    profiles: list[ProfileRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    """Of snapshots; they go to files and are no rows."""
    items: int = 0
    """Points, Profiles or log records of the request that are in it."""
    packed: Packed | None = None
    """As `narrow`, of a request that was decoded by a template."""
    digest: bytes | None = None
    """Fingerprint of the attributes where it is known already."""
    times: tuple[int, int] | None = None
    """Its span where that is known already."""

    def attributes_digest(self) -> bytes:
        """Equal for equal attributes."""
        if self.digest is None:
            self.digest = fingerprint(self.attributes)
        return self.digest

    @property
    def rows(self) -> int:
        points = len(self.wide) + len(self.narrow) + len(self.distributions) + len(self.events)
        if self.packed is not None:
            points += len(self.packed.values)
        return points + sum(len(profile.stacks) + 1 for profile in self.profiles)

    def span(self) -> tuple[int, int] | None:
        """The oldest and the newest time in it, None when it holds nothing. Asked for when it is whole."""
        if self.times is None:
            self.times = self._span()
        return self.times

    def _span(self) -> tuple[int, int] | None:
        times = [
            *self.wide,
            *(row[0] for row in self.narrow),
            *(row[0] for row in self.distributions),
            *(profile.time for profile in self.profiles),
            *(event.time for event in self.events),
        ]
        if self.packed is not None:
            times += [int(self.packed.times.min()), int(self.packed.times.max())]
        return (min(times), max(times)) if times else None


@dataclass(frozen=True, slots=True)
class Batch:
    """One request. `key` is the client's batch id or the hash of its bytes: a key that was seen is not
    stored again.
    """

    key: bytes
    signal: Signal
    blocks: Sequence[ResourceBlock]

    @property
    def rows(self) -> int:
        return sum(block.rows for block in self.blocks)
