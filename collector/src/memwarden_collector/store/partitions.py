"""Native partitions by time: made ahead, filled from the default partition, dropped when their time is over.

Whatever time a row is of, it is stored: what has no partition yet lies in the default one. `make` moves it, in one
transaction in which nobody can write or read the table; while partitions are made ahead there is nothing to move.
A lock that isn't had within the connection's lock_timeout is an error (`DatabaseAway`), and the next round tries again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg import sql

from memwarden_collector.store.connection import SCHEMA, Connection, translated
from memwarden_collector.store.tables import TimeTable

ORIGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Steps of all tables, and buckets of all rollups, are counted from here."""
_BOUND: Final = re.compile(r"FROM \('([^']+)'\) TO \('([^']+)'\)")


@dataclass(frozen=True, slots=True)
class Partition:
    name: str
    start: datetime
    end: datetime


def step_start(table: TimeTable, moment: datetime) -> datetime:
    """The start of the step that a moment is in."""
    step = timedelta(days=table.step_days)
    return ORIGIN + (moment - ORIGIN) // step * step


def steps(table: TimeTable, first: datetime, last: datetime) -> Iterator[datetime]:
    """The starts of all steps from the one of `first` to the one of `last`."""
    start = step_start(table, first)
    while start <= last:
        yield start
        start += timedelta(days=table.step_days)


def existing(connection: Connection, table: TimeTable) -> list[Partition]:
    """In the order of time, without the default one. The connection's time zone is UTC."""
    with translated():
        rows = connection.execute(
            "select relname, pg_get_expr(relpartbound, pg_class.oid) from pg_inherits"
            " join pg_class on pg_class.oid = inhrelid where inhparent = %s::regclass",
            [f"{SCHEMA}.{table.name}"],
        ).fetchall()
    found = []
    for name, bound in rows:
        match = _BOUND.search(bound)
        if match is not None:
            found.append(Partition(name, *(datetime.fromisoformat(one) for one in match.groups())))
    return sorted(found, key=lambda one: one.start)


def make(connection: Connection, table: TimeTable, start: datetime) -> int:
    """Make the partition of the step that starts at `start`, and return how many rows were moved into it."""
    end = start + timedelta(days=table.step_days)
    names = {
        "table": sql.Identifier(table.name),
        "default": sql.Identifier(f"{table.name}_default"),
        "part": sql.Identifier(f"{table.name}_p{start:%Y%m%d}"),
        "column": sql.Identifier(table.column),
        "start": sql.Literal(start),
        "end": sql.Literal(end),
    }

    def run(text: str) -> int:
        return connection.execute(sql.SQL(text).format(**names)).rowcount

    moved = 0
    with translated(), connection.transaction():
        if not table.has_default:
            run("create table {part} partition of {table} for values from ({start}) to ({end})")
            return 0
        # Who has begun to write ends first, who comes waits before it chooses a partition: a writer that had chosen the
        # default one would be refused afterwards ("violates partition constraint"). A reader that had chosen its
        # partitions would wait for the default one, and then find the rows neither there nor in the new one.
        run("lock table only {table} in access exclusive mode")
        run("lock table {default} in access exclusive mode")
        run("create table {part} (like {table} including defaults including indexes)")
        moved = run(
            "with moved as (delete from {default} where {column} >= {start} and {column} < {end} returning *)"
            " insert into {part} select * from moved"
        )
        run("alter table {table} attach partition {part} for values from ({start}) to ({end})")
    return moved


def unplaced(connection: Connection, table: TimeTable, before: datetime) -> list[datetime]:
    """The steps that have rows in the default partition, up to the one of `before`, the newest first."""
    if not table.has_default:
        return []
    query = sql.SQL(
        "select distinct date_bin(make_interval(days => {days}), {column}, {origin}) from {default}"
        " where {column} < {before} order by 1 desc"
    ).format(
        days=sql.Literal(table.step_days),
        column=sql.Identifier(table.column),
        origin=sql.Literal(ORIGIN),
        default=sql.Identifier(f"{table.name}_default"),
        before=sql.Literal(before),
    )
    with translated():
        return [row[0] for row in connection.execute(query).fetchall()]


def drop(connection: Connection, table: TimeTable, partition: Partition) -> None:
    """For good. The transaction is the caller's if there is one."""
    with translated():
        connection.execute(sql.SQL("drop table {}").format(sql.Identifier(partition.name)))
        note_dropped(connection, table, partition.end)


def delete_unplaced(connection: Connection, table: TimeTable, before: datetime) -> int:
    """Rows of the default partition that are older than what is kept; how many."""
    if not table.has_default:
        return 0
    statement = sql.SQL("delete from {} where {} < {}").format(
        sql.Identifier(f"{table.name}_default"), sql.Identifier(table.column), sql.Literal(before)
    )
    with translated():
        return connection.execute(statement).rowcount


def note_dropped(connection: Connection, table: TimeTable, before: datetime) -> None:
    """Readers and rollups ask since when a table is whole."""
    connection.execute(
        "insert into retention (table_name, dropped_before) values (%s, %s)"
        " on conflict (table_name) do update set dropped_before = greatest(retention.dropped_before,"
        " excluded.dropped_before)",
        [table.name, before],
    )
