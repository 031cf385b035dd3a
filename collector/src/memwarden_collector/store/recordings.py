"""Recordings from the database: what the judge reads, and what a kept file holds."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from psycopg import IsolationLevel

from memwarden_api import names
from memwarden_collector.batch import Attributes
from memwarden_collector.columns import LIMIT_SOURCES, NUMBERS, PROCESS_COLUMNS, SCOPE_COLUMNS
from memwarden_collector.settings import Analysis
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.past import LIMIT_SOURCE_COLUMN, Past, ResourceRow, ScopeRow
from memwarden_collector.store.scope_facts import command_text
from memwarden_core.recording import (
    Event,
    FloatArray,
    MemoryLimit,
    ProcessInfo,
    Profile,
    Recording,
    Series,
    SeriesKey,
)
from memwarden_core.settings import SENSITIVITY_LABEL, WARM_UP_LABEL

_DEFAULT_INTERVAL: Final = 1.0
_ENDED_INTERVALS: Final = 3.5
_ENDED_SECONDS: Final = 3.0
_LIMIT_COLUMN: Final = NUMBERS.index("limit_bytes")


class RecordingLoader:
    """Loads recordings, and keeps the past of the scopes that were asked for last. For one thread at a
    time.
    """

    def __init__(self, database: Database, bounds: Analysis) -> None:
        self._database = database
        self._bounds = bounds
        self._pasts: OrderedDict[str, Past] = OrderedDict()
        self._bytes: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Bytes of all pasts that are kept, about; may be asked for from any thread."""
        return sum(list(self._bytes.values()))

    def load(self, scope: str, since: float | None = None) -> Recording | None:
        """All committed data of a scope, at most `window_seconds` back; None where there is no such scope.

        `since` (Unix seconds) cuts earlier samples off. Raises StoreError.
        """
        past = self._pasts.get(scope)
        with self._database.lend() as connection, snapshot(connection):
            row = read_scope(connection, scope)
            if row is None:
                self._forget(scope)
                return None
            if past is None or past.scope.scope_id != row.scope_id:
                past = Past(row)
            past.scope = row
            try:
                past.refresh(connection, self._bounds)
            except BaseException:
                self._forget(scope)  # half refreshed is worse than not known
                raise
        self._keep(scope, past)
        return build(past, since)

    def _keep(self, scope: str, past: Past) -> None:
        self._pasts[scope], self._bytes[scope] = past, past.size
        self._pasts.move_to_end(scope)
        bounds = self._bounds
        while len(self._pasts) > 1 and (
            len(self._pasts) > bounds.max_cached_scopes or self.size > bounds.max_cached_bytes
        ):
            self._forget(next(iter(self._pasts)))

    def _forget(self, scope: str) -> None:
        self._pasts.pop(scope, None)
        self._bytes.pop(scope, None)


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """A read-only transaction that sees one moment."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection.transaction():
            yield
    finally:
        if not connection.closed:
            connection.isolation_level = None
            connection.read_only = None


def read_scope(connection: Connection, scope: str) -> ScopeRow | None:
    """The row of a scope, None where there is none."""
    row = connection.execute(
        "select scope_id, name, kind, command, host, interval_seconds from scope where name = %s", [scope]
    ).fetchone()
    return None if row is None else ScopeRow(*row)


def read_times(connection: Connection, scope: str) -> tuple[int, float, float] | None:
    """A scope's id, and when it was seen first and last, in Unix seconds."""
    row = connection.execute(
        "select scope_id, extract(epoch from seen_first)::float8, extract(epoch from seen_last)::float8"
        " from scope where name = %s",
        [scope],
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def build(past: Past, since: float | None = None) -> Recording:
    """A recording of what is kept; pure."""
    whole = [one for one in past.resources.values() if one.pid is None]
    alive = [one for one in past.resources.values() if one.pid is not None and _has_samples(past, one)]
    alive.sort(key=lambda one: (_started(past, one), one.resource_id))
    places: dict[int, int | None] = {one.resource_id: None for one in whole}
    places |= {one.resource_id: place for place, one in enumerate(alive)}
    times = [samples.time for samples in past.wide.values() if len(samples.time)]
    moments = [meta.time for meta in past.metas]
    started = min([float(time[0]) for time in times] + moments[:1], default=0.0)
    ended = max([float(time[-1]) for time in times] + moments[-1:], default=0.0)
    interval = past.scope.interval or _usual_interval(times)
    processes = tuple(_process(past, one, ended, interval) for one in alive)
    return Recording(
        scope=past.scope.name,
        command=past.scope.command or (processes[0].command if processes else ""),
        started=started if since is None else max(started, since),
        ended=ended,
        interval=interval,
        limit=_limit(past, whole),
        processes=processes,
        series=_series(past, places, since),
        stacks=tuple(past.stacks),
        profiles=_profiles(past, places, since),
        events=_events(started, processes),
        labels=_labels(past.scope.host, whole),
    )


def _labels(host: str, whole: Sequence[ResourceRow]) -> dict[str, str]:
    """The host, and how its owner wants it to be judged."""
    found = {"host": host}
    for one in whole:
        found[SENSITIVITY_LABEL] = _text(one.attributes, names.DETECTION_SENSITIVITY)
        found[WARM_UP_LABEL] = _text(one.attributes, names.DETECTION_WARM_UP)
    return {name: text for name, text in found.items() if text}


def _has_samples(past: Past, resource: ResourceRow) -> bool:
    samples = past.wide.get(resource.resource_id)
    return (samples is not None and len(samples.time) > 0) or any(
        meta.resource_id == resource.resource_id for meta in past.metas
    )


def _started(past: Past, resource: ResourceRow) -> float:
    if resource.created is not None:
        return resource.created
    return _span(past, resource)[0]


def _span(past: Past, resource: ResourceRow) -> tuple[float, float]:
    samples = past.wide.get(resource.resource_id)
    times = (
        [] if samples is None or not len(samples.time) else [float(samples.time[0]), float(samples.time[-1])]
    )
    times += [meta.time for meta in past.metas if meta.resource_id == resource.resource_id]
    return (min(times), max(times)) if times else (0.0, 0.0)


def _process(past: Past, resource: ResourceRow, scope_ended: float, interval: float) -> ProcessInfo:
    attributes = resource.attributes
    last = _span(past, resource)[1]
    parent = attributes.get(names.PROCESS_PARENT_PID)
    runtime = (
        f"{_text(attributes, names.PROCESS_RUNTIME_NAME)} {_text(attributes, names.PROCESS_RUNTIME_VERSION)}"
    )
    prefixes = attributes.get(names.CODE_LIBRARY_PREFIXES)
    hooked = attributes.get(names.PROBE_STATE) == names.PROBE_STATE_HOOKED
    return ProcessInfo(
        pid=resource.pid or 0,
        parent_pid=parent if isinstance(parent, int) else None,
        started=_started(past, resource),
        last_seen=last,
        # The last process of a container takes its scope with it: only its sidecar can say that it ended.
        ended=names.PROCESS_ENDED in attributes
        or scope_ended - last > max(_ENDED_INTERVALS * interval, _ENDED_SECONDS),
        command=command_text(attributes),
        executable=_text(attributes, names.PROCESS_EXECUTABLE_PATH),
        runtime=runtime.strip(),
        hooked=hooked,
        reason=_text(attributes, names.PROBE_REASON),
        library_prefixes=tuple(str(one) for one in prefixes) if isinstance(prefixes, list) else (),
    )


def _series(past: Past, places: dict[int, int | None], since: float | None) -> dict[SeriesKey, Series]:
    result: dict[SeriesKey, Series] = {}
    for resource_id, samples in past.wide.items():
        if resource_id not in places:
            continue
        place = places[resource_id]
        for metric, column in (SCOPE_COLUMNS if place is None else PROCESS_COLUMNS).items():
            # The limit's source is in Recording.limit: a limit is one series, whatever it was taken from.
            _add(
                result,
                SeriesKey(metric, place),
                samples.time,
                samples.values[:, NUMBERS.index(column.name)],
                since,
            )
    for series_id, samples in past.narrow.items():
        row = past.series.get(series_id)
        if row is not None and row.resource_id in places:
            key = SeriesKey(row.metric, places[row.resource_id], row.attribute)
            _add(result, key, samples.time, samples.values[:, 0], since)
    return result


def _add(
    result: dict[SeriesKey, Series], key: SeriesKey, time: FloatArray, values: FloatArray, since: float | None
) -> None:
    known = ~np.isnan(values)
    if since is not None:
        known &= time >= since
    if known.any():
        result[key] = Series(time[known], values[known])


def _profiles(past: Past, places: dict[int, int | None], since: float | None) -> tuple[Profile, ...]:
    result = []
    for meta in past.metas:
        arrays, place = past.profiles.get(meta.profile_id), places.get(meta.resource_id)
        if arrays is None or place is None or (since is not None and meta.time < since):
            continue
        result.append(
            Profile(meta.time, place, arrays.stacks, arrays.live_bytes, arrays.blocks, arrays.samples)
        )
    return tuple(result)


def _limit(past: Past, whole: list[ResourceRow]) -> MemoryLimit | None:
    """The newest limit of the scope."""
    best: tuple[float, float, str] | None = None
    for resource in whole:
        samples = past.wide.get(resource.resource_id)
        if samples is None:
            continue
        known = np.flatnonzero(~np.isnan(samples.values[:, _LIMIT_COLUMN]))
        if len(known):
            row = known[-1]
            source = samples.values[row, LIMIT_SOURCE_COLUMN]
            name = "" if np.isnan(source) else LIMIT_SOURCES[int(source) - 1]
            best = max(
                best or (-1.0, 0.0, ""),
                (float(samples.time[row]), float(samples.values[row, _LIMIT_COLUMN]), name),
            )
    return None if best is None else MemoryLimit(best[1], best[2] or "cgroup")


def _events(started: float, processes: tuple[ProcessInfo, ...]) -> tuple[Event, ...]:
    events = [Event(started, "run-started", "first sample")]
    for process in processes:
        events.append(Event(process.started, "process-started", f"{process.pid} {process.command}".strip()))
        if process.ended:
            events.append(Event(process.last_seen, "process-ended", f"{process.pid} was not seen again"))
    return tuple(sorted(events, key=lambda event: event.time))


def _usual_interval(times: list[FloatArray]) -> float:
    gaps = [float(np.median(np.diff(time))) for time in times if len(time) > 2]
    return min(gaps, default=_DEFAULT_INTERVAL)


def _text(attributes: Attributes, key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""
