"""What keeps the store small and fast while it runs: partitions ahead, rollups, compression, retention.

One collector of several does it: whoever holds an advisory lock, and on the very connection that holds it, so that who
has lost the lock can't go on. Each step is one or more short transactions with a lock_timeout of two seconds: it
rather fails, and is done in the next round, than make the writer wait. Time is the database's.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg import sql

from memwarden_collector.errors import StoreError
from memwarden_collector.settings import Retention
from memwarden_collector.store import (
    alerts,
    cluster,
    columnstore,
    commands,
    decisions,
    events,
    evidence,
    hypertables,
    partitions,
    rollups,
    workloads,
)
from memwarden_collector.store.connection import SCHEMA, Connection, translated
from memwarden_collector.store.dictionary_upkeep import DictionaryUpkeep, Horizon
from memwarden_collector.store.tables import EVERY, TimeTable
from memwarden_collector.store.tier import Layout, Store, Tier

_log = logging.getLogger(__name__)
AHEAD_DAYS: Final = 2
_MOVES: Final = 4
"""Steps of one table that are moved out of the default partition in one round."""
_CHANGES_KEPT: Final = timedelta(minutes=10)
_VERDICTS: Final = 10_000
"""Verdicts of the history that one round deletes."""


@dataclass(slots=True)
class Done:
    """What one round did, for counters and tests."""

    made: int = 0
    moved: int = 0
    rolled_up: int = 0
    dropped: int = 0
    compressed: int = 0
    deleted: int = 0
    removed: int = 0
    """Names that nothing referred to any more."""
    lag_seconds: float = 0.0
    """From the end of the last minute that is rolled up until now."""


class Upkeep:
    """One round at a time, on a connection that the caller holds the lock with."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._retention = retention
        self._names = DictionaryUpkeep()

    def round(self, connection: Connection, failed: Callable[[str, StoreError], None]) -> Done:
        """Everything once. A step that can't be done is told to `failed`, and the next one is done all the same.

        Raises StoreError where the connection is lost.
        """
        _prepare(connection)
        done = Done()
        now = _now(connection)
        self._step(connection, failed, "partitions", lambda: self._ahead(connection, now, done))
        self._step(connection, failed, "rollups", lambda: self._roll_up(connection, now, done))
        self._step(connection, failed, "retention", lambda: self._retain(connection, now, done))
        self._step(connection, failed, "changes", lambda: _join_changes(connection))
        self._step(connection, failed, "names", lambda: self._clean_names(connection, now, done))
        if self._store.tier is Tier.TIMESCALE and self._store.layout is Layout.HYPERTABLES:
            self._step(connection, failed, "compression", lambda: _compress(connection, done))
        return done

    def _step(
        self,
        connection: Connection,
        failed: Callable[[str, StoreError], None],
        name: str,
        step: Callable[[], None],
    ) -> None:
        try:
            step()
        except StoreError as error:
            if connection.closed or connection.broken:
                raise
            failed(name, error)

    def _native(self) -> Iterable[TimeTable]:
        """The tables whose partitions we make."""
        return (one for one in EVERY if not self._is_hypertable(one))

    def _is_hypertable(self, table: TimeTable) -> bool:
        return self._store.layout is Layout.HYPERTABLES and table.in_hypertables

    def _ahead(self, connection: Connection, now: datetime, done: Done) -> None:
        for table in self._native():
            if not table.has_default:
                continue  # only the rollups write there, and make what they need
            there = {one.start for one in partitions.existing(connection, table)}
            wanted = list(partitions.steps(table, now, now + timedelta(days=AHEAD_DAYS)))
            horizon = self._horizon(connection, table, now)
            late = [
                start
                for start in partitions.unplaced(connection, table, now)
                if start >= partitions.step_start(table, horizon)
            ]
            for start in dict.fromkeys([*wanted, *late[:_MOVES]]):
                if start not in there:
                    done.moved += partitions.make(connection, table, start)
                    done.made += 1

    def _roll_up(self, connection: Connection, now: datetime, done: Done) -> None:
        def prepare(table: TimeTable, starts: Sequence[datetime]) -> None:
            if self._is_hypertable(table):
                return
            there = {one.start for one in partitions.existing(connection, table)}
            for start in starts:
                if start not in there:
                    partitions.make(connection, table, start)
                    done.made += 1

        rollups.take_changes(connection)
        for level in rollups.LEVELS:
            done.rolled_up += rollups.make(connection, level, now, prepare)
        closed = rollups.bucket_start(rollups.LEVELS[0], now - rollups.LAG)
        done.lag_seconds = (now - closed).total_seconds()

    def _retain(self, connection: Connection, now: datetime, done: Done) -> None:
        for table in EVERY:
            horizon = self._horizon(connection, table, now)
            if self._is_hypertable(table):
                done.dropped += hypertables.drop_before(connection, table, horizon)
                continue
            for one in partitions.existing(connection, table):
                if one.end <= horizon:
                    with translated(), connection.transaction():
                        partitions.drop(connection, table, one)
                    done.dropped += 1
            done.deleted += partitions.delete_unplaced(connection, table, horizon)
        with translated():
            done.deleted += connection.execute(
                "delete from verdict where verdict_id in (select verdict_id from verdict where at < %s limit %s)",
                [now - timedelta(days=self._retention.verdicts_days), _VERDICTS],
            ).rowcount
            done.deleted += cluster.delete_old(connection, timedelta(days=self._retention.cluster_days))
            done.deleted += alerts.delete_old(connection, timedelta(days=self._retention.alerts_days))
            done.deleted += events.delete_old(
                connection, timedelta(days=self._retention.events_days), self._retention.max_events
            )
            done.deleted += commands.delete_old(connection, timedelta(days=self._retention.commands_days))
            done.deleted += decisions.delete_old(connection, timedelta(days=self._retention.decisions_days))
            done.deleted += evidence.delete_old(connection)
            before = now - timedelta(days=self._retention.verdicts_days)
            done.deleted += workloads.forget(connection, before, _VERDICTS)

    def _clean_names(self, connection: Connection, now: datetime, done: Done) -> None:
        """The ledger outlives what writers may still bring by a day (`Settings`)."""
        kept = self._retention
        with translated():
            row = connection.execute("select least(%s, max(seen_last)) from scope", [now]).fetchone()
            newest = now if row is None or row[0] is None else row[0]
            horizon = Horizon(
                newest - timedelta(days=max(kept.samples_days, kept.ledger_days)),
                newest - timedelta(days=max(kept.cluster_days, kept.ledger_days)),
            )
            done.removed += self._names.round(connection, horizon)

    def _horizon(self, connection: Connection, table: TimeTable, now: datetime) -> datetime:
        """What is older may go: by the settings, and only when the rollups have read it.

        Counted from the newest sample where that is older than now: a clock that jumps ahead takes nothing away.
        """
        with translated():
            row = connection.execute(
                "select least(%s, max(seen_last)),"
                " (select min(since) from rollup_waiting where level = %s and since < %s),"
                " (select closed from rollup_level where level = %s and closed > '-infinity') from scope",
                [now, table.rolled_up, now, table.rolled_up],
            ).fetchone()
        newest, waiting, closed = row if row is not None else (None, None, None)
        horizon: datetime = (newest or now) - timedelta(days=self._retention.days(table.keep))
        if table.rolled_up is None:
            return horizon
        needed: datetime = closed or partitions.ORIGIN
        return min(horizon, needed, waiting or needed)


def _prepare(connection: Connection) -> None:
    """Short waits for locks, long statements, and the extension's functions."""
    with translated():
        row = connection.execute(
            "select nspname from pg_extension join pg_namespace on pg_namespace.oid = extnamespace"
            " where extname = 'timescaledb'"
        ).fetchone()
        path = sql.SQL(", ").join(sql.Identifier(name) for name in (SCHEMA, *(row or ())))
        connection.execute(sql.SQL("set search_path = {}").format(path))
        connection.execute("set lock_timeout = '2s'; set statement_timeout = '600s'")


def _now(connection: Connection) -> datetime:
    with translated():
        row = connection.execute("select now()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def _join_changes(connection: Connection) -> None:
    """One row instead of many for what a scope got ten minutes ago and before.

    It has the youngest transaction and the oldest time of them: a reader that has not seen one of them loads too much,
    never too little.
    """
    with translated():
        connection.execute(
            "with old as (delete from ingest_change where at < now() - %s and scope_id in (select scope_id from"
            " ingest_change where at < now() - %s group by scope_id having count(*) > 1)"
            " returning xact, scope_id, since, at)"
            " insert into ingest_change (xact, scope_id, since, at)"
            " select max(xact), scope_id, min(since), max(at) from old group by scope_id",
            [_CHANGES_KEPT, _CHANGES_KEPT],
        )


def _compress(connection: Connection, done: Done) -> None:
    """One chunk a table and round."""
    with translated():
        for table in columnstore.SEGMENT_BY:
            row = connection.execute(columnstore.IS_ENABLED, [table]).fetchone()
            if row is not None and not row[0]:
                connection.execute(columnstore.enable(table).encode())
            after = columnstore.AFTER_CHUNKS - 1
            chunk = connection.execute(columnstore.NEXT_CHUNK, [table, table, after]).fetchone()
            if chunk is not None:
                connection.execute(columnstore.COMPRESS, [chunk[0]])
                done.compressed += 1
