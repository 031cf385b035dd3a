"""Migrations: numbered SQL files, forward at every start, backward when asked.

Each runs in a transaction together with its row in `migration`, all under one advisory lock, so that several
collectors may start at once. What was applied is remembered by checksum: a file that changed afterwards, or a
number that this version does not know, is refused with what to do next, never guessed around.

`NNNN_name.up.sql` and `.down.sql`; `NNNN_name.timescaledb.up.sql` goes forward instead where the database has that
extension. A query in `NNNN_name.check.sql` must give the same rows before and after, in both directions: a migration
that moves data and loses some is undone.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import sql

from memwarden_collector.errors import DatabaseReadOnly, MigrationLosesData, SchemaChanged, SchemaNewer
from memwarden_collector.store.connection import SCHEMA, Connection, translated
from memwarden_collector.store.tier import Tier, detect

_LOCK: Final = 0x6D656D_0001  # "mem"
_LOCK_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    up: str
    down: str
    timescaledb: str | None = None
    """Forward where the database has TimescaleDB; None: as everywhere."""
    check: str | None = None
    """A query whose rows are the same before and after."""

    def forward(self, tier: Tier) -> str:
        return self.up if self.timescaledb is None or tier is Tier.PLAIN else self.timescaledb

    def is_applied_as(self, checksum: str) -> bool:
        """Whether a row of `migration` is of this migration, whichever way forward it went."""
        return checksum in {_checksum(text) for text in (self.up, self.timescaledb) if text is not None}


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def load_migrations() -> tuple[Migration, ...]:
    """All that this version carries, by number from 1 on, without a gap."""
    folder = files(__package__) / "migrations"
    found = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".down.sql"):
            stem = file.name.removesuffix(".down.sql")
            number, _, name = stem.partition("_")
            texts = [folder / f"{stem}.{part}.sql" for part in ("up", "timescaledb.up", "check")]
            up, timescaledb, check = (text.read_text() if text.is_file() else None for text in texts)
            found.append(Migration(int(number), name, up or "", file.read_text(), timescaledb, check))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("migrations are not numbered from 1 on without a gap")
    return tuple(found)


def migrate(
    connection: Connection, migrations: Sequence[Migration] | None = None, target: int | None = None
) -> int:
    """Bring the schema to `target` (the newest by default) and return how many migrations ran.

    Raises SchemaNewer, SchemaChanged, DatabaseReadOnly and other StoreErrors; then nothing was changed by the
    migration that failed.
    """
    known = load_migrations() if migrations is None else tuple(migrations)
    wanted = len(known) if target is None else target
    if not 0 <= wanted <= len(known):
        raise ValueError(f"there is no migration {wanted}: this version knows 0 to {len(known)}")
    with translated():
        if _current(connection, known) == wanted:
            return 0  # the usual start: no lock, no write
        _refuse_read_only(connection)
        with _locked(connection):
            _prepare(connection)
            current = _current(connection, known)
            tier = detect(connection)
            for migration in known[current:wanted]:
                _apply(connection, migration, tier, is_new=current == 0)
            for migration in reversed(known[wanted:current]):
                _revert(connection, migration)
            return abs(wanted - current)


def _current(connection: Connection, known: Sequence[Migration]) -> int:
    """How many are applied; raises SchemaNewer and SchemaChanged."""
    found = connection.execute("select to_regclass(%s)", [f"{SCHEMA}.migration"]).fetchone()
    if found is None or found[0] is None:
        return 0
    rows = connection.execute("select number, name, checksum from migration order by number").fetchall()
    if rows and rows[-1][0] > len(known):
        raise SchemaNewer(
            f"the database's schema has migration {rows[-1][0]} ({rows[-1][1]}), this version of"
            f" Memwarden knows"
            f" {len(known)}: run the newer version, or let it go back first with --migrate-to {len(known)}"
        )
    for position, (number, name, checksum) in enumerate(rows, start=1):
        if number != position or not known[position - 1].is_applied_as(checksum):
            raise SchemaChanged(
                f"migration {number} ({name}) of the database is not the one that this version of"
                f" Memwarden carries:"
                " use the version that made the database, or an empty database"
            )
    return len(rows)


def _refuse_read_only(connection: Connection) -> None:
    row = connection.execute(
        "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean"
    ).fetchone()
    if row is not None and row[0]:
        raise DatabaseReadOnly(
            "the database takes no writes (a standby, or default_transaction_read_only is on): name the"
            " primary,"
            " or unset default_transaction_read_only"
        )


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    connection.execute(f"set lock_timeout = '{_LOCK_SECONDS}s'; set statement_timeout = 0")
    connection.execute("select pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK])


def _prepare(connection: Connection) -> None:
    # Asked first: `create schema if not exists` needs the right to create even when there is nothing to do.
    row = connection.execute("select to_regnamespace(%s)", [SCHEMA]).fetchone()
    if row is not None and row[0] is None:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(SCHEMA)))
    connection.execute(
        "create table if not exists migration (number integer primary key, name text not null,"
        " checksum text not null, applied timestamptz not null default now())"
    )


def _apply(connection: Connection, migration: Migration, tier: Tier, *, is_new: bool) -> None:
    text = migration.forward(tier)
    # A database that was empty a moment ago has nothing to lose.
    with connection.transaction(), _checked(connection, migration, None if is_new else migration.check):
        _run(connection, text)
        connection.execute(
            "insert into migration (number, name, checksum) values (%s, %s, %s)",
            [migration.number, migration.name, _checksum(text)],
        )


def _revert(connection: Connection, migration: Migration) -> None:
    with connection.transaction(), _checked(connection, migration, migration.check):
        _run(connection, migration.down)
        connection.execute("delete from migration where number = %s", [migration.number])


@contextmanager
def _checked(connection: Connection, migration: Migration, query: str | None) -> Iterator[None]:
    """Raises MigrationLosesData when the query gives other rows afterwards; the transaction is the caller's."""
    if query is None:
        yield
        return
    tables = connection.execute(_LOCK_ALL, [SCHEMA]).fetchone()
    if tables is not None and tables[0]:
        connection.execute(tables[0])  # nobody writes between the two counts
    before = connection.execute(query.encode()).fetchall()
    yield
    after = connection.execute(query.encode()).fetchall()
    if before != after:
        raise MigrationLosesData(
            f"migration {migration.number} ({migration.name}) would change data that it must only move, and was undone"
            f" (before: {_told(before)}; after: {_told(after)}): please report it; the version that made the"
            " database still runs with it"
        )


_LOCK_ALL: Final = (
    "select 'lock table ' || string_agg(format('%%I.%%I', schemaname, tablename), ', ' order by tablename)"
    " || ' in share row exclusive mode' from pg_tables where schemaname = %s"
)


def _told(rows: list[tuple[Any, ...]]) -> str:
    return ", ".join(f"{row[0]} {row[1]} rows" for row in rows)


def _run(connection: Connection, statements: str) -> None:
    """Several statements, as a file has them."""
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(statements.encode())
