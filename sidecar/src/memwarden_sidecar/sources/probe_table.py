"""Reads the sample table that a Python probe publishes in a sealed memfd.

The probe hands the descriptor over with its ``hello``; from then on its numbers cost the process nothing,
and what was written last can still be read after the process was killed. The layout is in
docs/design/20261121-probe-table.md.

The peer is not trusted: a process of the application holds the other end. So the descriptor must be
sealed against shrinking and growing, it is read with ``pread`` (a mapping could be made to fault, and
would be charged for holes), nothing beyond the published high-water marks is touched, and every number is
checked before it is followed. Garbage gives :class:`ProbeTableError` or fewer samples, never an endless
loop.

Limits: one reader is for one thread; a table's dictionary only ever grows, so what was decoded once is
kept until :meth:`ProbeTable.close`.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import stat
import struct
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeAlias

__all__ = ["AGE_BOUNDS_SECONDS", "Bucket", "Frame", "ProbeTable", "ProbeTableError", "Site", "TableHeader"]

Frame: TypeAlias = tuple[str, str, int]
"""File, function (qualified where the interpreter knows it) and line."""

AGE_BOUNDS_SECONDS: Final = (1, 2, 5, 10, 30, 60, 300, 900, 3600)
"""Upper bounds of a site's age histogram; a last bucket holds what is older."""

_MAGIC: Final = b"MWTABLE1"
_LAYOUT_VERSION: Final = 2
_HEADER_BYTES: Final = 4096
_HEADER: Final = struct.Struct("<8s6IQ10I2d22Q4I")
_ENTRY: Final = struct.Struct("<QQdII")
_NODE: Final = struct.Struct("<II")
_FRAME: Final = struct.Struct("<4I")
_LENGTH: Final = struct.Struct("<I")

_ENTRY_LIMIT: Final = 65536
_NODE_LIMIT: Final = 131072
_FRAME_LIMIT: Final = 32768
_STRING_LIMIT: Final = 2 * 1024 * 1024
_NODES_AT: Final = _HEADER_BYTES + _ENTRY_LIMIT * _ENTRY.size
_FRAMES_AT: Final = _NODES_AT + _NODE_LIMIT * _NODE.size
_STRINGS_AT: Final = _FRAMES_AT + _FRAME_LIMIT * _FRAME.size
_TABLE_BYTES: Final = _STRINGS_AT + _STRING_LIMIT

_F_GET_SEALS: Final = 1034
_F_SEAL_SHRINK: Final = 2
_F_SEAL_GROW: Final = 4

_BUCKETS: Final = len(AGE_BOUNDS_SECONDS) + 1
_ATTEMPTS: Final = 5
_DEPTH_LIMIT: Final = 128
_BYTES_LIMIT: Final = 1 << 48
_WEIGHT_LIMIT: Final = float(1 << 40)


class ProbeTableError(ValueError):
    """The descriptor is not a table that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class TableHeader:
    """The counters of one process. Times are nanoseconds of the node's clocks, sizes are bytes."""

    pid: int
    parent_pid: int
    generation: int
    """Counts the tables that this process has published; each has its own descriptor."""
    average_bytes: int
    """Mean distance between two samples."""
    live_samples: int
    live_bytes: float
    """Estimate over all live blocks, inherited ones included."""
    live_blocks: float
    start_wall_ns: int
    start_monotonic_ns: int
    tick_monotonic_ns: int
    """The last sign of life. A process that allocates nothing does not tick: say so, and never show old
    as new."""
    sample_monotonic_ns: int
    fork_ms: int
    """When this process was forked, since the start; 0 for one that was not. Older samples are
    inherited."""
    rss_bytes: int
    cgroup_usage_bytes: int
    cgroup_limit_bytes: int
    """0 where there is none or it cannot be read."""
    allocated_bytes: int
    """Cumulative since the start."""
    samples_taken: int
    gc_collections: tuple[int, int, int]
    """By generation, youngest first; zeros where the interpreter's layout is not known."""
    dropped_samples: int
    dictionary_overflows: int
    """Times that a frame or stack found no room and was counted as unknown."""
    rate_doublings: int
    """Times that a full table halved its sampling rate."""
    tick_cost_ns: int
    ticks: int
    own_cost_ns: int
    """CPU time of the probe's samples, frees of samples, looks at the clock, ticks and censuses, since the start or
    the fork. What each block pays for the hook itself can't be measured from inside and is not in it."""
    hook_losses: int
    """Times that another allocator had taken the hook's place, so that the table had to start anew."""
    wanted_average: int
    """`average_bytes` as it was asked for; the budget may have made it longer."""
    thinnings: int
    """Times that the budget made it longer."""
    budget_ppm: int
    """The probe's share of the process's CPU time that it keeps to, in millionths; 0: it keeps to none."""
    over_ppm: int
    """The share that it took when it was last over it."""
    switched_off: bool
    """Over budget at the longest interval, it took its hook away: what the table holds is not the present."""


class Bucket(NamedTuple):
    """What is live of one stack and one age: estimated bytes and blocks, and the samples behind them."""

    bytes: float
    blocks: float
    samples: int


_NOTHING: Final = Bucket(0.0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class Site:
    """What is live of one stack, one bucket an age: AGE_BOUNDS_SECONDS and a last one for what is older.

    Blocks are not objects: a list has two, a dict two or more.
    """

    frames: tuple[Frame, ...]
    """Leaf first. Empty when the stack is not known."""
    own: tuple[Bucket, ...]
    """Allocated by this process itself."""
    inherited: tuple[Bucket, ...]
    """Allocated before the fork that made this process, and not part of `own`. () when there is none."""

    @property
    def bytes(self) -> float:
        return math.fsum(bucket.bytes for bucket in self.own)

    @property
    def blocks(self) -> float:
        return math.fsum(bucket.blocks for bucket in self.own)

    @property
    def samples(self) -> int:
        return sum(bucket.samples for bucket in self.own)

    @property
    def inherited_bytes(self) -> float:
        return math.fsum(bucket.bytes for bucket in self.inherited)

    @property
    def inherited_samples(self) -> int:
        return sum(bucket.samples for bucket in self.inherited)


@dataclass(slots=True)
class _Area:
    """A part of the table that only grows: what was read once is kept, and only the rest is fetched."""

    at: int
    known: bytearray = field(default_factory=bytearray)

    def fetch(self, fd: int, high_bytes: int) -> None:
        missing = high_bytes - len(self.known)
        if missing > 0:
            self.known += _read_exactly(fd, missing, self.at + len(self.known))


_Tally: TypeAlias = dict[int, list[float]]
"""One stack's sums (bytes, blocks, samples) by bucket: own ones first, then as many inherited ones. Sparse, since
most stacks have samples of one or two ages."""


@dataclass(frozen=True, slots=True)
class _Marks:
    sequence: int
    entries: int
    nodes: int
    frames: int
    strings: int


def _read_exactly(fd: int, count: int, offset: int) -> bytes:
    try:
        data = os.pread(fd, count, offset)
    except OSError as error:
        raise ProbeTableError(f"the probe's table cannot be read: {error.strerror}") from error
    if len(data) != count:
        raise ProbeTableError(f"the probe's table ends after {offset + len(data)} bytes")
    return data


def _check_descriptor(fd: int) -> None:
    """Seals first of all: without them the peer could cut the file off while it is being read."""
    try:
        status = os.fstat(fd)
        seals = fcntl.fcntl(fd, _F_GET_SEALS)
    except OSError as error:
        cause = "it is not a memfd" if error.errno == errno.EINVAL else error.strerror
        raise ProbeTableError(f"the descriptor from the probe is refused: {cause}") from error
    if not stat.S_ISREG(status.st_mode) or status.st_size != _TABLE_BYTES:
        raise ProbeTableError(f"the probe's table has {status.st_size} bytes, {_TABLE_BYTES} are expected")
    if seals & (_F_SEAL_SHRINK | _F_SEAL_GROW) != (_F_SEAL_SHRINK | _F_SEAL_GROW):
        raise ProbeTableError("the probe's table is not sealed against shrinking and growing")


class ProbeTable:
    """One published table; a context manager. Stays readable after its process has ended, until it is
    closed."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._nodes = _Area(_NODES_AT)
        self._frames = _Area(_FRAMES_AT)
        self._strings = _Area(_STRINGS_AT)
        self._text_at: dict[int, str] = {}
        self._frame_at: dict[int, Frame] = {}
        self._stack_at: dict[int, tuple[Frame, ...]] = {}

    @classmethod
    def from_fd(cls, fd: int) -> Self:
        """Take ``fd`` over, or raise :class:`ProbeTableError` and leave it to the caller."""
        _check_descriptor(fd)
        table = cls(fd)
        table.read_header()
        return table

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back: it belongs to the application's cgroup as long as somebody holds it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def read_header(self) -> TableHeader:
        for attempt in range(_ATTEMPTS):
            header, marks = self._read_header()
            again = self._read_sequence()
            if marks.sequence == again and again % 2 == 0:
                return header
            time.sleep(0 if attempt == 0 else 0.0005)
        # Numbers that are a few nanoseconds apart are better than none: a process killed amid a write
        # stays readable.
        return header

    def read_sites(self, now_monotonic_ns: int | None = None) -> list[Site]:
        """Every stack with live samples, in no particular order. Ages are taken at ``now_monotonic_ns``."""
        header, entries = self._read_entries()
        now = time.monotonic_ns() if now_monotonic_ns is None else now_monotonic_ns
        now_ms = (now - header.start_monotonic_ns) // 1_000_000
        tallies = _aggregate(entries, now_ms, header.fork_ms)
        by_stack: dict[tuple[Frame, ...], _Tally] = {}
        for node, tally in tallies.items():
            frames = self._stack(node)
            known = by_stack.get(frames)
            if known is None:
                by_stack[frames] = tally
            else:
                _merge(known, tally)
        return [_site(frames, tally) for frames, tally in by_stack.items()]

    # ---- Reading

    def _read_sequence(self) -> int:
        value: int = _LENGTH.unpack(_read_exactly(self._fd, _LENGTH.size, 28))[0]
        return value

    def _read_header(self) -> tuple[TableHeader, _Marks]:
        raw = _HEADER.unpack(_read_exactly(self._fd, _HEADER.size, 0))
        magic, version, header_bytes, pid, parent_pid, generation, sequence, average = raw[:8]
        entry_limit, entry_high, live, node_limit, node_high = raw[8:13]
        frame_limit, frame_high, string_limit, string_high, _reserved = raw[13:18]
        if magic != _MAGIC:
            raise ProbeTableError("the probe's table does not begin with MWTABLE1")
        if version != _LAYOUT_VERSION or header_bytes < _HEADER.size:
            raise ProbeTableError(
                f"the probe's table has layout {version}, this reader knows {_LAYOUT_VERSION}"
            )
        if (entry_limit, node_limit, frame_limit, string_limit) != (
            _ENTRY_LIMIT, _NODE_LIMIT, _FRAME_LIMIT, _STRING_LIMIT,
        ):  # fmt: skip
            raise ProbeTableError("the probe's table names other limits than its layout has")
        if (
            entry_high > _ENTRY_LIMIT or node_high > _NODE_LIMIT
            or frame_high > _FRAME_LIMIT or string_high > _STRING_LIMIT
        ):  # fmt: skip
            raise ProbeTableError("the probe's table claims more entries than it has room for")
        (
            start_wall, start_monotonic, tick, sample, fork_ms, rss, cgroup_usage, cgroup_limit, allocated,
            samples, young, middle, old, dropped, overflows, doublings, tick_cost, ticks, own_cost,
            losses, wanted, thinnings, budget, over, switched_off, _reserved_2,
        ) = raw[20:]  # fmt: skip
        header = TableHeader(
            pid=pid,
            parent_pid=parent_pid,
            generation=generation,
            average_bytes=average,
            live_samples=live,
            live_bytes=_finite(raw[18]),
            live_blocks=_finite(raw[19]),
            start_wall_ns=start_wall,
            start_monotonic_ns=start_monotonic,
            tick_monotonic_ns=tick,
            sample_monotonic_ns=sample,
            fork_ms=fork_ms,
            rss_bytes=rss,
            cgroup_usage_bytes=cgroup_usage,
            cgroup_limit_bytes=cgroup_limit,
            allocated_bytes=allocated,
            samples_taken=samples,
            gc_collections=(young, middle, old),
            dropped_samples=dropped,
            dictionary_overflows=overflows,
            rate_doublings=doublings,
            tick_cost_ns=tick_cost,
            ticks=ticks,
            own_cost_ns=own_cost,
            hook_losses=losses,
            wanted_average=wanted,
            thinnings=thinnings,
            budget_ppm=budget,
            over_ppm=over,
            switched_off=switched_off != 0,
        )
        return header, _Marks(sequence, entry_high, node_high, frame_high, string_high)

    def _read_entries(self) -> tuple[TableHeader, bytes]:
        """Entries of one moment, if the probe pauses long enough; the last try is taken as it is: the
        probe clears an
        entry's address before it changes the rest, so that a torn copy lacks a few samples and mixes none
        up."""
        for attempt in range(_ATTEMPTS):
            before = self._read_header()[1]
            data = (
                _read_exactly(self._fd, before.entries * _ENTRY.size, _HEADER_BYTES)
                if before.entries
                else b""
            )
            header, after = self._read_header()
            if before.sequence == after.sequence and after.sequence % 2 == 0:
                break
            time.sleep(0 if attempt == 0 else 0.0005)
        # Marks read after the entries: all that an entry names had been written before it.
        self._nodes.fetch(self._fd, after.nodes * _NODE.size)
        self._frames.fetch(self._fd, after.frames * _FRAME.size)
        self._strings.fetch(self._fd, after.strings)
        return header, data

    # ---- The dictionary

    def _text(self, offset: int) -> str:
        text = self._text_at.get(offset)
        if text is None:
            text = self._text_at[offset] = self._decode_text(offset)
        return text

    def _decode_text(self, offset: int) -> str:
        known = self._strings.known
        if offset == 0 or offset + _LENGTH.size > len(known):
            return ""
        length: int = _LENGTH.unpack_from(known, offset)[0]
        start = offset + _LENGTH.size
        if length > len(known) - start:
            return ""
        return known[start : start + length].decode("utf-8", "replace")

    def _frame(self, number: int) -> Frame:
        frame = self._frame_at.get(number)
        if frame is None:
            file, function, line, _first_line = _FRAME.unpack_from(self._frames.known, number * _FRAME.size)
            frame = self._frame_at[number] = (self._text(file), self._text(function), line)
        return frame

    def _stack(self, node: int) -> tuple[Frame, ...]:
        """Leaf first. A parent always has a smaller number than its child, which is what ends the walk."""
        known = self._stack_at.get(node)
        if known is not None:
            return known
        frames: list[Frame] = []
        nodes, frame_count = self._nodes.known, len(self._frames.known) // _FRAME.size
        current = node
        while 0 < current < len(nodes) // _NODE.size and len(frames) < _DEPTH_LIMIT:
            parent, frame = _NODE.unpack_from(nodes, current * _NODE.size)
            if not 0 < frame < frame_count or parent >= current:
                frames = []
                break
            frames.append(self._frame(frame))
            current = parent
        stack = tuple(frames)
        if node * _NODE.size < len(nodes):
            self._stack_at[node] = stack
        return stack


def _finite(value: float) -> float:
    return value if math.isfinite(value) and value >= 0 else 0.0


def _aggregate(entries: bytes, now_ms: int, fork_ms: int) -> dict[int, _Tally]:
    """Entries by stack number; those with impossible numbers are left out."""
    bounds = [second * 1000 for second in AGE_BOUNDS_SECONDS]
    tallies: dict[int, _Tally] = {}
    for address, size, weight, birth_ms, stack in _ENTRY.iter_unpack(entries):
        if address == 0 or size > _BYTES_LIMIT or not 1.0 <= weight <= _WEIGHT_LIMIT:
            continue
        tally = tallies.get(stack)
        if tally is None:
            tally = tallies[stack] = {}
        bucket = bisect_left(bounds, now_ms - birth_ms)
        if birth_ms < fork_ms:
            bucket += _BUCKETS
        sums = tally.get(bucket)
        if sums is None:
            tally[bucket] = [size * weight, weight, 1]
        else:
            sums[0] += size * weight
            sums[1] += weight
            sums[2] += 1
    return tallies


def _merge(into: _Tally, other: _Tally) -> None:
    for bucket, sums in other.items():
        known = into.get(bucket, (0.0, 0.0, 0.0))
        into[bucket] = [mine + theirs for mine, theirs in zip(known, sums, strict=True)]


def _site(frames: tuple[Frame, ...], tally: _Tally) -> Site:
    buckets = [_NOTHING] * (2 * _BUCKETS)
    for at, (size, blocks, samples) in tally.items():
        buckets[at] = Bucket(size, blocks, int(samples))
    is_inherited = any(at >= _BUCKETS for at in tally)
    return Site(frames, tuple(buckets[:_BUCKETS]), tuple(buckets[_BUCKETS:]) if is_inherited else ())
