"""What was seen at one tick: plain values between the sources, which make them, and the export."""

from dataclasses import dataclass

from memwarden_sidecar.probes.census import Census
from memwarden_sidecar.probes.table import Counters
from memwarden_sidecar.sources.memory_limit import Room
from memwarden_sidecar.sources.proc_files import ProcessKey


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What a process is; changes seldom (exec, hello)."""

    key: ProcessKey
    parent_pid: int
    created: float
    """Unix seconds."""
    command_line: str
    executable: str
    runtime: str
    runtime_version: str
    hooked: bool
    reason: str
    """Why there are no allocation sites, fewer than were asked for, or old ones; "" when all is as it should be."""
    library_prefixes: tuple[str, ...]
    ended: float | None = None
    """Unix seconds when it was seen for the last time; None while it lives."""


@dataclass(frozen=True, slots=True)
class HeapSample:
    """Out of the table of a hooked process; live values are this process's own part."""

    counters: Counters
    live_size: float
    live_samples: int
    silence: float
    """Seconds since the last tick of its probe."""


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """One process at one moment, in bytes and seconds; None: not known."""

    identity: ProcessIdentity
    rss: int | None
    anon: int | None
    cpu: float | None
    threads: int | None
    descriptors: int | None
    heap: HeapSample | None
    census: Census | None


@dataclass(frozen=True, slots=True)
class ScopeSample:
    """The scope at one moment. None: nothing is watched yet, or it has ended."""

    anon: int | None
    cpu: float | None
    processes: int | None
    room: Room | None


@dataclass(frozen=True, slots=True)
class Observation:
    """One tick. `time` is in Unix seconds."""

    time: float
    scope: ScopeSample
    processes: tuple[ProcessSample, ...]
