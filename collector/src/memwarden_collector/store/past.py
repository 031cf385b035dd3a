"""The past of one scope, kept in memory and brought up to date with what is new.

`ingest_change` says since when a scope has new data, by transaction: everything a snapshot may not have seen
is loaded again from its oldest time on, so late data (a replayed spool, another collector) is never missed.
The size is bounded: where the samples of the window are too many, or retention has taken some, rollups stand for the
older ones; where there are none the oldest samples go first. Profiles are thinned evenly, to every second, fourth, … of
a process, the newest always kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from memwarden_collector.batch import Attributes
from memwarden_collector.columns import LIMIT_SOURCES, NUMBERS
from memwarden_collector.settings import Analysis
from memwarden_collector.store import rolled as rolling
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.copying import copy_floats
from memwarden_collector.store.rolled import Rolled
from memwarden_core.recording import FloatArray, Frame, IntArray, Stack

_AGES: Final = 10
_OBJECT_BYTES: Final = 500
"""Of a row that is kept as objects, from above."""
_STACK_BYTES: Final = 2000
LIMIT_SOURCE_COLUMN: Final = len(NUMBERS)
"""Column of `Wide.values` with 1 + the index into LIMIT_SOURCES; NaN where there is none."""


@dataclass(frozen=True, slots=True)
class ScopeRow:
    scope_id: int
    name: str
    kind: str
    command: str
    host: str
    interval: float | None


@dataclass(frozen=True, slots=True)
class ResourceRow:
    resource_id: int
    pid: int | None
    created: float | None
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SeriesRow:
    series_id: int
    resource_id: int
    metric: str
    attribute: str


@dataclass(slots=True)
class Samples:
    """Times strictly rising; `values` has a row a time: the wide columns, or one for a narrow series."""

    time: FloatArray
    values: FloatArray

    def replace_from(self, since: float, time: FloatArray, values: FloatArray) -> None:
        """Forget what is at or after `since`, and append."""
        keep = int(np.searchsorted(self.time, since))
        self.time = np.concatenate((self.time[:keep], time))
        self.values = np.concatenate((self.values[:keep], values))

    def drop_before(self, time: float) -> None:
        first = int(np.searchsorted(self.time, time))
        if first:
            self.time, self.values = self.time[first:].copy(), self.values[first:].copy()


@dataclass(frozen=True, slots=True)
class ProfileMeta:
    profile_id: int
    time: float
    resource_id: int
    cells: int
    ordinal: int
    """Its place among the profiles of its process, so that thinning chooses the same ones again."""


@dataclass(frozen=True, slots=True)
class ProfileArrays:
    """One profile as a recording has it; `stacks` are indices into `Past.stacks`."""

    stacks: IntArray
    live_bytes: FloatArray
    blocks: FloatArray
    samples: IntArray

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        return self.stacks.nbytes + self.live_bytes.nbytes + self.blocks.nbytes + self.samples.nbytes


@dataclass(slots=True)
class Past:
    """All that is kept of one scope."""

    scope: ScopeRow
    watermark: int = 0
    rolled: Rolled | None = None
    """What stands for the oldest samples."""
    resources: dict[int, ResourceRow] = field(default_factory=dict)
    wide: dict[int, Samples] = field(default_factory=dict)
    series: dict[int, SeriesRow] = field(default_factory=dict)
    narrow: dict[int, Samples] = field(default_factory=dict)
    metas: list[ProfileMeta] = field(default_factory=list)
    profiles: dict[int, ProfileArrays] = field(default_factory=dict)
    stacks: list[Stack] = field(default_factory=list)
    stack_places: dict[int, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(len(samples.time) for group in (self.wide, self.narrow) for samples in group.values())

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        samples = [one for group in (self.wide, self.narrow) for one in group.values()]
        arrays = sum(one.time.nbytes + one.values.nbytes for one in samples)
        arrays += sum(one.size for one in self.profiles.values())
        objects = len(samples) + len(self.metas) + len(self.resources) + len(self.series)
        return arrays + _OBJECT_BYTES * objects + _STACK_BYTES * len(self.stacks)

    def refresh(self, connection: Connection, bounds: Analysis) -> bool:
        """Load what is new; whether there was something. Inside a repeatable read transaction of the
        caller.
        """
        watermark = _number(connection, "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        since = self._since(connection, bounds)
        if since is None:
            return False
        if self.rolled is not None and self.watermark and since < self.rolled.until:
            # Late for what rollups stand for, which may not have it yet.
            since = self._start(connection, bounds)
        self._refresh_samples(connection, since)
        if self.watermark and self.rows > bounds.max_scope_rows:
            # Started again, so that rollups stand for more of it than before.
            since = self._start(connection, bounds)
            self._refresh_samples(connection, since)
        self._trim(bounds)
        self._refresh_profiles(connection, since, bounds)
        self.watermark = watermark
        return True

    def _refresh_samples(self, connection: Connection, since: float) -> None:
        self.resources = _read_resources(connection, self.scope.scope_id)
        self.series = _read_series(connection, self.scope.scope_id)
        if self.rolled is not None and since < self.rolled.until:
            since = self.rolled.bucket(since)
        self._refresh_wide(connection, since)
        self._refresh_narrow(connection, since)

    def _since(self, connection: Connection, bounds: Analysis) -> float | None:
        """From when on to load, in Unix seconds; None when nothing is new."""
        if self.watermark:
            row = connection.execute(
                "select extract(epoch from min(since))::float8 from ingest_change"
                " where scope_id = %s and xact >= %s::text::xid8",
                [self.scope.scope_id, self.watermark],
            ).fetchone()
            return None if row is None or row[0] is None else float(row[0])
        return self._start(connection, bounds)

    def _start(self, connection: Connection, bounds: Analysis) -> float:
        """From when on to load when nothing is here yet, and from when on samples instead of rollups."""
        self.rolled = None
        row = connection.execute(
            "select extract(epoch from seen_last)::float8, extract(epoch from seen_first)::float8"
            " from scope where scope_id = %s",
            [self.scope.scope_id],
        ).fetchone()
        last, first = (0.0, 0.0) if row is None else (float(row[0]), float(row[1]))
        start = last - bounds.window_seconds
        most = bounds.max_scope_rows
        newest = self._newest(connection, start, most)
        dropped = rolling.whole_since(connection)
        if newest is None and dropped <= max(start, first):
            return start
        samples_from = max(dropped, self._newest(connection, start, most // 2) or start)
        level = rolling.choose(samples_from - max(start, first), most / 2 / self._count(connection, start))
        self.rolled = rolling.plan(
            connection,
            self.scope.scope_id,
            level,
            max(start, first - level.width.total_seconds()),
            samples_from,
        )
        if self.rolled is not None:
            return start
        return start if newest is None else newest

    def _count(self, connection: Connection, start: float) -> int:
        """How many resources and series were seen since `start`."""
        row = connection.execute(
            "select (select count(*) from resource where scope_id = %(scope)s and seen_last >= to_timestamp(%(start)s))"
            " + (select count(*) from series join resource using (resource_id) where scope_id = %(scope)s"
            "   and seen_last >= to_timestamp(%(start)s))",
            {"scope": self.scope.scope_id, "start": start},
        ).fetchone()
        return 1 if row is None else max(1, int(row[0]))

    def _newest(self, connection: Connection, start: float, most: int) -> float | None:
        """Since when there are `most` samples, None where there are not so many since `start`."""
        row = connection.execute(
            "select extract(epoch from ts)::float8 from ("
            "  select m.ts from mem_sample m join resource r using (resource_id) where r.scope_id = %(scope)s"
            "    and m.ts >= to_timestamp(%(start)s)"
            "  union all select s.ts from sample s join series using (series_id) join resource r using"
            " (resource_id)"
            "    where r.scope_id = %(scope)s and s.ts >= to_timestamp(%(start)s)"
            ") t order by ts desc offset %(most)s limit 1",
            {"scope": self.scope.scope_id, "start": start, "most": most},
        ).fetchone()
        return None if row is None else float(row[0])

    def _refresh_wide(self, connection: Connection, since: float) -> None:
        sources = " ".join(
            f"when '{source}' then {place}" for place, source in enumerate(LIMIT_SOURCES, start=1)
        )
        values = ", ".join(f"coalesce({name}, 'NaN')" for name in NUMBERS)
        table = copy_floats(
            connection,
            "select resource_id::float8, extract(epoch from ts)::float8,"  # noqa: S608 - constants
            f" {values}, coalesce(case limit_source {sources} end::float8, 'NaN')"
            " from mem_sample where resource_id = any(%s) and ts >= to_timestamp(%s) order by"
            " resource_id, ts",
            [list(self.resources), self._samples_from(since)],
            2 + len(NUMBERS) + 1,
        )
        if self.rolled is not None and since < self.rolled.until:
            older = rolling.wide(
                connection, self.rolled, list(self.resources), NUMBERS, (since, self.rolled.until)
            )
            table = _joined(np.pad(older, ((0, 0), (0, 1)), constant_values=np.nan), table)
        _merge(self.wide, table, since)

    def _refresh_narrow(self, connection: Connection, since: float) -> None:
        table = copy_floats(
            connection,
            "select series_id::float8, extract(epoch from ts)::float8, value"
            " from sample where series_id = any(%s) and ts >= to_timestamp(%s) order by series_id, ts",
            [list(self.series), self._samples_from(since)],
            3,
        )
        if self.rolled is not None and since < self.rolled.until:
            older = rolling.narrow(connection, self.rolled, list(self.series), (since, self.rolled.until))
            table = _joined(older, table)
        _merge(self.narrow, table, since)

    def _samples_from(self, since: float) -> float:
        return since if self.rolled is None else max(since, self.rolled.until)

    def _trim(self, bounds: Analysis) -> None:
        """Keep the window, and not more rows than allowed."""
        groups = [
            samples for group in (self.wide, self.narrow) for samples in group.values() if len(samples.time)
        ]
        if not groups:
            return
        start = max(float(samples.time[-1]) for samples in groups) - bounds.window_seconds
        excess = self.rows - bounds.max_scope_rows
        if excess > 0:
            times = np.sort(np.concatenate([samples.time for samples in groups]))
            start = max(start, float(times[min(excess + bounds.max_scope_rows // 10, len(times) - 1)]))
        for samples in groups:
            samples.drop_before(start)
        self.wide, self.narrow = (
            {number: samples for number, samples in group.items() if len(samples.time)}
            for group in (self.wide, self.narrow)
        )
        self.metas = [meta for meta in self.metas if meta.time >= start]

    def _refresh_profiles(self, connection: Connection, since: float, bounds: Analysis) -> None:
        self.metas = [meta for meta in self.metas if meta.time < since]
        ordinals: dict[int, int] = {}
        for meta in self.metas:
            ordinals[meta.resource_id] = meta.ordinal + 1
        rows = connection.execute(
            "select profile_id, extract(epoch from ts)::float8, resource_id, cells from profile"
            " where resource_id = any(%s) and ts >= to_timestamp(%s) order by ts, profile_id",
            [list(self.resources), since],
        ).fetchall()
        for profile_id, time, resource_id, cells in rows:
            ordinal = ordinals.get(resource_id, 0)
            ordinals[resource_id] = ordinal + 1
            self.metas.append(ProfileMeta(profile_id, time, resource_id, cells, ordinal))
        chosen = choose(self.metas, bounds.max_profile_rows)
        self.profiles = {number: self.profiles[number] for number in chosen if number in self.profiles}
        self._load_profiles(connection, [number for number in chosen if number not in self.profiles])

    def _load_profiles(self, connection: Connection, wanted: Sequence[int]) -> None:
        for start in range(0, len(wanted), 64):
            with connection.cursor(binary=True) as cursor:
                rows = cursor.execute(
                    "select profile_id, stacks, ages, live_bytes, blocks, samples from profile where"
                    " profile_id = any(%s)",
                    [list(wanted[start : start + 64])],
                ).fetchall()
            self._learn_stacks(connection, {stack for row in rows for stack in row[1]})
            for profile_id, stacks, ages, live_bytes, blocks, samples in rows:
                places = np.array([self.stack_places[stack] for stack in stacks], dtype=np.int64)
                self.profiles[profile_id] = _arrays(places, ages, live_bytes, blocks, samples)

    def _learn_stacks(self, connection: Connection, ids: set[int]) -> None:
        missing = [number for number in ids if number not in self.stack_places]
        for number, stack in read_stacks(connection, missing).items():
            self.stack_places[number] = len(self.stacks)
            self.stacks.append(stack)


def choose(metas: Sequence[ProfileMeta], most: int) -> list[int]:
    """Ids of the profiles to keep: all, or of each process every second, fourth, …, and the newest."""
    newest = {meta.resource_id: meta.profile_id for meta in metas}
    last = max((meta.ordinal for meta in metas), default=0)
    stride = 1
    while stride <= 2 * last + 1:
        chosen = [
            meta
            for meta in metas
            if meta.ordinal % stride == 0 or newest[meta.resource_id] == meta.profile_id
        ]
        if sum(meta.cells for meta in chosen) <= most:
            return [meta.profile_id for meta in chosen]
        stride *= 2
    return [meta.profile_id for meta in metas if newest[meta.resource_id] == meta.profile_id]


def read_stacks(connection: Connection, ids: Iterable[int]) -> dict[int, Stack]:
    """Stacks by id, innermost frame first."""
    wanted = list(ids)
    if not wanted:
        return {}
    with connection.cursor(binary=True) as cursor:
        stacks: dict[int, list[int]] = dict(
            cursor.execute("select stack_id, frames from stack where stack_id = any(%s)", [wanted]).fetchall()
        )
    frames = read_frames(connection, {frame for stack in stacks.values() for frame in stack})
    return {number: tuple(frames[frame] for frame in stack) for number, stack in stacks.items()}


def read_frames(connection: Connection, ids: Iterable[int]) -> dict[int, Frame]:
    """Frames by id."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(
            "select frame_id, file, line, name from frame join function using (function_id) where"
            " frame_id = any(%s)",
            [list(ids)],
        ).fetchall()
    return {number: Frame(file, line, name) for number, file, line, name in rows}


def _arrays(places: IntArray, ages: Any, live_bytes: Any, blocks: Any, samples: Any) -> ProfileArrays:
    """Cells (stack, age) as rows of ten ages a stack."""
    stacks, rows = np.unique(places, return_inverse=True)
    at = (rows, np.asarray(ages, dtype=np.int64))
    shape = (len(stacks), _AGES)
    dense_bytes, dense_blocks = np.zeros(shape), np.zeros(shape)
    dense_samples = np.zeros(shape, dtype=np.int64)
    np.add.at(dense_bytes, at, np.asarray(live_bytes, dtype=np.float64))
    np.add.at(dense_blocks, at, np.asarray(blocks, dtype=np.float64))
    np.add.at(dense_samples, at, np.asarray(samples, dtype=np.int64))
    return ProfileArrays(stacks.astype(np.int64), dense_bytes, dense_blocks, dense_samples)


def _joined(older: FloatArray, newer: FloatArray) -> FloatArray:
    """Rows (id, time, …) in the order of id and time."""
    table = np.concatenate((older, newer))
    return table[np.lexsort((table[:, 1], table[:, 0]))]


def _merge(groups: dict[int, Samples], table: FloatArray, since: float) -> None:
    """Rows (id, time, values…) ordered by id and time, into the groups by id; the past from `since` on is
    replaced.
    """
    width = table.shape[1] - 2
    ids, starts = np.unique(table[:, 0], return_index=True)
    parts: Mapping[int, FloatArray] = dict(
        zip((int(number) for number in ids), np.split(table[:, 1:], starts[1:]), strict=True)
        if len(ids)
        else ()
    )
    empty = np.empty((0, width + 1))
    for number in groups.keys() | parts.keys():
        part = parts.get(number, empty)
        time, values = _one_row_a_time(part[:, 0], part[:, 1:])
        samples = groups.setdefault(number, Samples(np.empty(0), np.empty((0, width))))
        samples.replace_from(since, time, values)


def _one_row_a_time(time: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rows of one moment that came in several requests are laid over each other."""
    if len(time) < 2 or bool(np.all(np.diff(time) > 0)):
        return time, values
    times, starts = np.unique(time, return_index=True)
    return times, np.fmax.reduceat(values, starts, axis=0)


def _read_resources(connection: Connection, scope_id: int) -> dict[int, ResourceRow]:
    rows = connection.execute(
        "select resource_id, pid, created, attrs from resource where scope_id = %s", [scope_id]
    ).fetchall()
    return {row[0]: ResourceRow(*row) for row in rows}


def _read_series(connection: Connection, scope_id: int) -> dict[int, SeriesRow]:
    rows = connection.execute(
        "select series_id, resource_id, metric, attribute from series join resource using (resource_id)"
        " where scope_id = %s",
        [scope_id],
    ).fetchall()
    return {row[0]: SeriesRow(*row) for row in rows}


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])
