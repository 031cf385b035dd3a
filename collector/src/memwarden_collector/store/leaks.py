"""Leaks in the database, and how their states went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from memwarden_collector.store.connection import Connection


@dataclass(frozen=True, slots=True)
class LeakRow:
    leak_id: int
    workload_id: int
    workload: str
    fingerprint: str
    state: str
    returns: int
    first_seen: datetime
    last_seen: datetime
    changed_at: datetime
    closed_at: datetime | None
    first_version: str
    last_version: str
    growth: float | None
    headline: str
    site: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    at: datetime
    state: str
    version: str
    reason: str


_LEAK = (
    "select leak_id, workload_id, workload.name, fingerprint, state, returns, leak.first_seen, last_seen, changed_at,"
    " closed_at, first_version, last_version, growth_bytes_per_second, headline, site"
    " from leak join workload using (workload_id)"
)


def of_workloads(connection: Connection, workload_ids: Sequence[int]) -> dict[int, list[LeakRow]]:
    """All leaks of each, in the order of their ids."""
    result: dict[int, list[LeakRow]] = {number: [] for number in workload_ids}
    rows = connection.execute(
        f"{_LEAK} where workload_id = any(%s) order by leak_id",
        [list(workload_ids)],
    )
    for row in rows:
        result[row[1]].append(LeakRow(*row))
    return result


def fingerprints_of_scope(connection: Connection, scope_id: int) -> frozenset[str]:
    """Of all leaks that the scope's workload has had."""
    rows = connection.execute(
        "select fingerprint from leak join workload_scope using (workload_id) where scope_id = %s", [scope_id]
    ).fetchall()
    return frozenset(row[0] for row in rows)


def save(connection: Connection, leak: LeakRow, change: ChangeRow | None) -> int:
    """Insert it (`leak_id` 0) or write over it, and keep what changed; its id."""
    row = connection.execute(
        "insert into leak (workload_id, fingerprint, state, returns, first_seen, last_seen, changed_at, closed_at,"
        " first_version, last_version, growth_bytes_per_second, headline, site)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (workload_id, fingerprint) do update set state = excluded.state, returns = excluded.returns,"
        " last_seen = excluded.last_seen, changed_at = excluded.changed_at, closed_at = excluded.closed_at,"
        " last_version = excluded.last_version, growth_bytes_per_second = excluded.growth_bytes_per_second,"
        " headline = excluded.headline, site = excluded.site returning leak_id",
        [
            leak.workload_id,
            leak.fingerprint,
            leak.state,
            leak.returns,
            leak.first_seen,
            leak.last_seen,
            leak.changed_at,
            leak.closed_at,
            leak.first_version,
            leak.last_version,
            leak.growth,
            leak.headline,
            None if leak.site is None else Jsonb(leak.site),
        ],
    ).fetchone()
    assert row is not None
    if change is not None:
        connection.execute(
            "insert into leak_change (leak_id, at, state, version, reason) values (%s, %s, %s, %s, %s)",
            [row[0], change.at, change.state, change.version, change.reason],
        )
    return int(row[0])


def move(connection: Connection, moves: Mapping[int, int]) -> None:
    """From workloads that have no container left to where these went; one that is there already stays as it is."""
    for before, after in sorted(moves.items()):
        connection.execute(
            "update leak set workload_id = %(after)s where workload_id = %(before)s and not exists("
            " select from workload_scope where workload_id = %(before)s) and not exists("
            " select from leak known where known.workload_id = %(after)s and known.fingerprint = leak.fingerprint)",
            {"before": before, "after": after},
        )


def to_close(connection: Connection, quiet_before: datetime) -> list[int]:
    """Workloads with leaks that have been quiet since before then."""
    rows = connection.execute(
        "select distinct workload_id from leak where state = 'quiet' and changed_at <= %s", [quiet_before]
    ).fetchall()
    return [row[0] for row in rows]


def page(
    connection: Connection,
    *,
    namespace: str | None,
    workload: str | None,
    state: str | None,
    after: int,
    count: int,
) -> list[LeakRow]:
    """In the order of ids greater than `after`."""
    rows = connection.execute(
        f"{_LEAK} where leak_id > %(after)s and (%(namespace)s::text is null or namespace = %(namespace)s)"
        " and (%(workload)s::text is null or workload.name = %(workload)s)"
        " and (%(state)s::text is null or state = %(state)s) order by leak_id limit %(count)s",
        {"after": after, "namespace": namespace, "workload": workload, "state": state, "count": count},
    ).fetchall()
    return [LeakRow(*row) for row in rows]


def one(connection: Connection, leak_id: int) -> LeakRow | None:
    row = connection.execute(f"{_LEAK} where leak_id = %s", [leak_id]).fetchone()
    return None if row is None else LeakRow(*row)


def changes(connection: Connection, leak_ids: Sequence[int], most: int) -> dict[int, list[ChangeRow]]:
    """The newest of each, the oldest of them first."""
    result: dict[int, list[ChangeRow]] = {number: [] for number in leak_ids}
    rows = connection.execute(
        "select wanted.leak_id, c.at, c.state, c.version, c.reason from unnest(%s::bigint[]) wanted(leak_id),"
        " lateral (select * from leak_change where leak_id = wanted.leak_id order by at desc limit %s) c"
        " order by c.at",
        [list(leak_ids), most],
    ).fetchall()
    for leak_id, *rest in rows:
        result[leak_id].append(ChangeRow(*rest))
    return result
