"""What the interface lists: scopes, series, profiles. Every list has a bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from memwarden_collector.columns import PROCESS_COLUMNS, SCOPE_COLUMNS
from memwarden_collector.store import rolled as rolling
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.copying import copy_floats
from memwarden_collector.store.past import read_stacks
from memwarden_collector.store.rolled import Rolled
from memwarden_core.recording import FloatArray, Stack

MAX_SERIES: Final = 500
"""Series of one answer."""
MAX_ROWS: Final = 2_000_000
"""Points read for one answer."""
_AGES: Final = 10
_FOREIGN_INTERVAL: Final = 60.0
"""Seconds between the samples of who doesn't say: what OpenTelemetry's exporters do."""
_MANY: Final = 4
"""Rollups are read where samples are so many times the points that are asked for, and then are not more than that."""


@dataclass(frozen=True, slots=True)
class ScopeItem:
    scope_id: int
    name: str
    kind: str
    command: str
    host: str
    interval: float | None
    limit_bytes: float | None
    limit_source: str | None
    seen_first: datetime
    seen_last: datetime
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class SeriesItem:
    metric: str
    pid: int | None
    attribute: str
    unit: str
    time: FloatArray
    value: FloatArray
    rolled: bool = False
    """Whether some of it are rollups."""


@dataclass(frozen=True, slots=True)
class ProfileItem:
    profile_id: int
    at: datetime
    pid: int
    live_bytes: int
    samples: int


@dataclass(frozen=True, slots=True)
class StackItem:
    stack: Stack
    live_bytes: int
    blocks: int
    samples: int
    ages: tuple[int, ...]


class TooMuch(Exception):
    """The answer would be larger than allowed; the text names the limit and what to do."""


def scopes(connection: Connection, after: int, count: int, namespace: str = "") -> list[ScopeItem]:
    """In the order of ids, from the one after `after`; of one namespace's containers, or all."""
    rows = connection.execute(
        "select scope_id, name, kind, case when command <> '' then command else coalesce(("
        "   select case jsonb_typeof(attrs->'process.command_line') when 'string' then"
        " attrs->>'process.command_line'"
        "          else '' end from resource r where r.scope_id = scope.scope_id and pid is not null"
        "   order by created nulls last, resource_id limit 1), '') end,"
        " host, interval_seconds, limit_bytes, limit_source, seen_first, seen_last,"
        " coalesce((select jsonb_object_agg(key, value) from resource r, jsonb_each_text(r.attrs)"
        "   where r.scope_id = scope.scope_id and pid is null"
        "   and (key like 'k8s.%%' or key like 'service.%%')), '{}')"
        " from scope where scope_id > %s"
        " and (%s::text = '' or (kind = 'container' and starts_with(name, %s::text || '/')))"
        " order by scope_id limit %s",
        [after, namespace, namespace, count],
    ).fetchall()
    return [ScopeItem(*row) for row in rows]


def series(
    connection: Connection,
    scope_id: int,
    *,
    metric: str | None,
    pid: int | None,
    start: float,
    end: float,
    points: int | None = None,
) -> list[SeriesItem]:
    """Series of a scope in [start, end] (Unix seconds). Raises TooMuch.

    Whole, or of rollups where a few of their `points` are enough for so long a time.
    """
    resources = connection.execute(
        "select resource_id, pid from resource where scope_id = %s and (%s::integer is null or pid = %s)"
        " order by pid nulls first, resource_id",
        [scope_id, pid, pid],
    ).fetchall()
    rolled = _plan(connection, scope_id, start, end, points)
    wide = _wide_series(connection, resources, metric, (start, end), rolled)
    narrow = _narrow_series(connection, [row[0] for row in resources], metric, (start, end), rolled)
    if len(wide) + len(narrow) > MAX_SERIES:
        raise TooMuch(
            f"{len(wide) + len(narrow)} series, over the limit of {MAX_SERIES}: name a metric or a pid"
        )
    return wide + narrow


def profiles(
    connection: Connection, scope_id: int, before: tuple[datetime, int] | None, count: int
) -> list[ProfileItem]:
    """The newest first, from the one before `before` (its time and id)."""
    rows = connection.execute(
        "select profile_id, ts, coalesce(pid, 0), live_bytes_total, samples_total"
        " from profile join resource using (resource_id)"
        " where scope_id = %(scope)s and (%(at)s::timestamptz is null or (ts, profile_id) < (%(at)s, %(id)s))"
        " order by ts desc, profile_id desc limit %(count)s",
        {
            "scope": scope_id,
            "at": None if before is None else before[0],
            "id": 0 if before is None else before[1],
            "count": count,
        },
    ).fetchall()
    return [ProfileItem(*row) for row in rows]


def scope_of_profile(connection: Connection, profile_id: int) -> str | None:
    """The scope's name; None where there is no such profile."""
    row = connection.execute(
        "select name from profile join resource using (resource_id) join scope using (scope_id)"
        " where profile_id = %s",
        [profile_id],
    ).fetchone()
    return None if row is None else str(row[0])


def profile(connection: Connection, profile_id: int) -> tuple[ProfileItem, list[StackItem]] | None:
    """One profile with its stacks, the heaviest first; None where there is none."""
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(
            "select profile_id, ts, coalesce(pid, 0), live_bytes_total, samples_total, stacks, ages,"
            " live_bytes, blocks,"
            " samples from profile join resource using (resource_id) where profile_id = %s",
            [profile_id],
        ).fetchone()
    if row is None:
        return None
    stacks = read_stacks(connection, set(row[5]))
    sums: dict[int, list[int]] = {}
    ages: dict[int, list[int]] = {}
    for number, age, live_bytes, blocks, samples in zip(*row[5:10], strict=True):
        total = sums.setdefault(number, [0, 0, 0])
        for place, value in enumerate((live_bytes, blocks, samples)):
            total[place] += value
        ages.setdefault(number, [0] * _AGES)[age] += samples
    items = [
        StackItem(stacks[number], total[0], total[1], total[2], tuple(ages[number]))
        for number, total in sums.items()
    ]
    return ProfileItem(*row[:5]), sorted(items, key=lambda item: -item.live_bytes)


def _plan(
    connection: Connection, scope_id: int, start: float, end: float, points: int | None
) -> Rolled | None:
    """Rollups where samples are gone, or where there are several times more of them than are asked for."""
    row = connection.execute(
        "select extract(epoch from seen_first)::float8, extract(epoch from seen_last)::float8, interval_seconds"
        " from scope where scope_id = %s",
        [scope_id],
    ).fetchone()
    if row is None or points is None:
        return None
    start, end = max(start, row[0]), min(end, row[1])
    dropped = rolling.whole_since(connection)
    many = (end - start) / (row[2] or _FOREIGN_INTERVAL) > _MANY * points
    if end <= start or not (many or dropped > start):
        return None
    level = rolling.choose(end - start, _MANY * points)
    return rolling.plan(connection, scope_id, level, start, end if many else min(dropped, end))


def _wide_series(
    connection: Connection,
    resources: Sequence[tuple[int, int | None]],
    metric: str | None,
    span: tuple[float, float],
    rolled: Rolled | None,
) -> list[SeriesItem]:
    start, end = span
    samples_from = start if rolled is None else max(start, rolled.until)
    result = []
    for resource_id, pid in resources:
        known = SCOPE_COLUMNS if pid is None else PROCESS_COLUMNS
        columns = {name: column for name, column in known.items() if metric in (None, name)}
        if not columns:
            continue
        values = ", ".join(f"coalesce({column.name}, 'NaN')" for column in columns.values())
        table = copy_floats(
            connection,
            f"select extract(epoch from ts)::float8, {values} from mem_sample where resource_id = %s"  # noqa: S608 - constants
            f" and ts between to_timestamp(%s) and to_timestamp(%s) order by ts limit {MAX_ROWS + 1}",
            [resource_id, samples_from, end],
            1 + len(columns),
        )
        if rolled is not None:
            names = [column.name for column in columns.values()]
            older = rolling.wide(connection, rolled, [resource_id], names, (start, end))
            table = np.concatenate((_within(older, span)[:, 1:], table))
        _refuse_much(len(table))
        for place, (name, column) in enumerate(columns.items(), start=1):
            known_rows = ~np.isnan(table[:, place])
            if known_rows.any():
                time, value = table[known_rows, 0], table[known_rows, place]
                result.append(SeriesItem(name, pid, "", column.unit, time, value, rolled is not None))
    return result


def _narrow_series(
    connection: Connection,
    resources: Sequence[int],
    metric: str | None,
    span: tuple[float, float],
    rolled: Rolled | None,
) -> list[SeriesItem]:
    start, end = span
    samples_from = start if rolled is None else max(start, rolled.until)
    rows = connection.execute(
        "select series_id, metric, pid, attribute, unit from series join resource using (resource_id)"
        " where resource_id = any(%s) and (%s::text is null or metric = %s)"
        " order by metric, pid nulls first, attribute, series_id limit %s",
        [list(resources), metric, metric, MAX_SERIES + 1],
    ).fetchall()
    if len(rows) > MAX_SERIES:
        raise TooMuch(f"more than {MAX_SERIES} series, the limit of one answer: name a metric or a pid")
    table = copy_floats(
        connection,
        "select series_id::float8, extract(epoch from ts)::float8, value from sample where series_id ="  # noqa: S608 - constants
        " any(%s)"
        f" and ts between to_timestamp(%s) and to_timestamp(%s) order by series_id, ts limit {MAX_ROWS + 1}",
        [[row[0] for row in rows], samples_from, end],
        3,
    )
    if rolled is not None:
        older = rolling.narrow(connection, rolled, [row[0] for row in rows], span)
        table = np.concatenate((_within(older, span), table))
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
    _refuse_much(len(table))
    result = []
    for series_id, name, pid, attribute, unit in rows:
        first, last = np.searchsorted(table[:, 0], [series_id, series_id + 1])
        if last > first:
            time, value = table[first:last, 1], table[first:last, 2]
            result.append(SeriesItem(name, pid, attribute, unit, time, value, rolled is not None))
    return result


def _within(table: FloatArray, span: tuple[float, float]) -> FloatArray:
    """A bucket at an edge has points outside."""
    return table[(table[:, 1] >= span[0]) & (table[:, 1] <= span[1])]


def _refuse_much(rows: int) -> None:
    if rows > MAX_ROWS:
        raise TooMuch(f"more than {MAX_ROWS} points to read, the limit of one answer: ask for a shorter time")
