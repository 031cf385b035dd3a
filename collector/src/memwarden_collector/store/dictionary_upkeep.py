"""Removing names that no row refers to any more: resources with their series, scopes, places of containers, workloads.

Writers know ids by heart and write them without asking. So each of their transactions holds a lock that they share
(`writing`) and reads when something was last removed; who sees a new moment forgets all ids. A removal holds the lock
alone: it waits for the transactions under way, looks again with what they committed, removes, and notes the moment.
What comes after it finds the names gone and makes them anew.

Work is bounded: once an hour the next so many rows by id are looked at, and some hundred at a time removed under the
lock. Stacks and frames are kept: what refers to them stands in arrays without an index, and all pods of a program share
them.
"""

# ruff: noqa: S608 - queries are made of the constants of this file

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from memwarden_collector.store.connection import Connection
from memwarden_collector.store.tables import ROLLUPS

_LOCK: Final = 0x6D656D_0004
_NOTED: Final = "resource"
"""The row of `retention` with the moment of the last removal."""
_PAUSE_SECONDS: Final = 3600.0
"""Writers learn their ids anew after each removal: that must be seldom."""
_LOOKS: Final = 40
_LOOKED_AT: Final = 5000
"""Rows that one look reads; an hour has so many looks of each kind."""
_NEWEST: Final = 20
"""Containers of a workload that ended last stay: its verdict is made of them (`analysis.workloads.MAX_ENDED`)."""


def _none(table: str, column: str, value: str) -> str:
    """A probe of an index for each row; `not exists` may become a scan of everything."""
    return f"(select true from {table} where {table}.{column} = {value} limit 1) is null"


_WIDE: Final = [one.name for one in ROLLUPS if one.name.startswith("roll_mem")]
_NARROW: Final = [one.name for one in ROLLUPS if one.name.startswith("roll_sample")]
_IDLE_SERIES: Final = " and ".join(
    _none(table, "series_id", "n.series_id") for table in ("sample", "distribution", *_NARROW)
)
_IDLE_RESOURCE: Final = (
    "r.seen_last < %(horizon)s and "
    + " and ".join(
        _none(table, "resource_id", "r.resource_id") for table in ("mem_sample", "profile", "event", *_WIDE)
    )
    + f" and (select true from series n where n.resource_id = r.resource_id and not ({_IDLE_SERIES}) limit 1) is null"
)
_IDLE_SCOPE: Final = "r.seen_last < %(horizon)s and " + " and ".join(
    _none(table, "scope_id", "r.scope_id") for table in ("resource", "verdict")
)
_IDLE_PLACE: Final = (
    "r.ended and r.at < %(ended)s and (select count(*) from (select from workload_scope w where"
    f" w.workload_id = r.workload_id and w.ended and w.at > r.at limit {_NEWEST}) newer) >= {_NEWEST}"
)
_IDLE_WORKLOAD: Final = " and ".join(
    _none(table, "workload_id", "r.workload_id") for table in ("workload_scope", "leak", "workload_verdict")
)


@dataclass(frozen=True, slots=True)
class _Kind:
    table: str
    key: str
    idle: str
    """That nothing refers to a row `r`."""
    beside: tuple[str, ...] = ()
    """Tables of which the rows with the same key go, too."""
    at_once: int = 500
    """Removed under one lock, which writers wait for."""


_KINDS: Final = (  # in this order each may set the next one free
    _Kind("resource", "resource_id", _IDLE_RESOURCE, ("series",)),
    _Kind(
        "scope",
        "scope_id",
        _IDLE_SCOPE,
        ("rollup_waiting", "ingest_change", "verdict_last", "workload_scope"),
        at_once=50,  # each is looked for in the queue of the rollups, which has no index for that
    ),
    _Kind("workload_scope", "scope_id", _IDLE_PLACE),
    _Kind("workload", "workload_id", _IDLE_WORKLOAD, ("workload_last",)),
)


@dataclass(frozen=True, slots=True)
class Horizon:
    """What was seen since then stays."""

    samples: datetime
    """Writers may still bring what is younger."""
    ended: datetime
    """Of containers that ended."""


def writing(connection: Connection) -> datetime | None:
    """Nothing is removed until the caller's transaction is over; when something last was, by which it has to forget ids
    that it learnt before.
    """
    connection.execute("select pg_advisory_xact_lock_shared(%s)", [_LOCK])
    row = connection.execute(
        "select dropped_before from retention where table_name = %s", [_NOTED]
    ).fetchone()
    return None if row is None else row[0]


class DictionaryUpkeep:
    """For one thread, which remembers how far it has looked."""

    def __init__(self) -> None:
        self._looked: dict[str, int] = {}
        self._looked_by_clock = float("-inf")

    def round(self, connection: Connection, horizon: Horizon) -> int:
        """Once an hour look at the next rows of each kind; how many were removed. Raises as psycopg does."""
        now = time.monotonic()
        if now - self._looked_by_clock < _PAUSE_SECONDS:
            return 0
        self._looked_by_clock = now
        return sum(
            self._clean(connection, kind, {"horizon": horizon.samples, "ended": horizon.ended})
            for kind in _KINDS
        )

    def _clean(self, connection: Connection, kind: _Kind, values: Mapping[str, object]) -> int:
        removed = 0
        for _ in range(_LOOKS):
            found, last = _look(connection, kind, self._looked.get(kind.table, -1), values)
            if last is None:
                self._looked[kind.table] = -1
                break
            self._looked[kind.table] = last
            if found:
                removed += _remove(connection, kind, found, values)
        return removed


def _look(
    connection: Connection, kind: _Kind, after: int, values: Mapping[str, object]
) -> tuple[list[int], int | None]:
    """Of the next rows those that nothing refers to, and how far that was; None at the end."""
    key, table = kind.key, kind.table
    some = f"select {key} from {table} where {key} > %(after)s order by {key} limit {_LOOKED_AT}"
    row = connection.execute(f"select max({key}) from ({some}) looked".encode(), {"after": after}).fetchone()
    last: int | None = None if row is None else row[0]
    if last is None:
        return [], None
    rows = connection.execute(
        f"select {key} from {table} r where {key} > %(after)s and {key} <= %(last)s and {kind.idle}"
        f" order by {key} limit {kind.at_once}".encode(),
        {**values, "after": after, "last": last},
    ).fetchall()
    found = [one[0] for one in rows]
    return found, found[-1] if len(found) == kind.at_once else last


def _remove(connection: Connection, kind: _Kind, found: list[int], values: Mapping[str, object]) -> int:
    """Those of them that nothing refers to even now, while nobody writes."""
    key = kind.key
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        rows = connection.execute(
            f"select {key} from {kind.table} r where {key} = any(%(found)s) and {kind.idle} for update".encode(),
            {**values, "found": found},
        ).fetchall()
        gone = [one[0] for one in rows]
        for table in (*kind.beside, kind.table):
            connection.execute(f"delete from {table} where {key} = any(%s)".encode(), [gone])
        connection.execute(
            "insert into retention (table_name, dropped_before) values (%s, clock_timestamp())"
            " on conflict (table_name) do update set dropped_before = excluded.dropped_before",
            [_NOTED],
        )
    return len(gone)
