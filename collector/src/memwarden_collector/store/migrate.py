"""Migrations: numbered SQL files, forward at every start, backward when asked.

Each runs in a transaction together with its row in `migration`, all under one advisory lock, so that several
collectors may start at once. What was applied is remembered by checksum: a file that changed afterwards, or a
number that this version does not know, is refused with what to do next, never guessed around.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import psycopg
from psycopg import sql

from memwarden_collector.errors import DatabaseReadOnly, SchemaChanged, SchemaNewer
from memwarden_collector.store.connection import SCHEMA, Connection, translated

_LOCK: Final = 0x6D656D_0001  # "mem"
_LOCK_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    up: str
    down: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.up.encode()).hexdigest()


def load_migrations() -> tuple[Migration, ...]:
    """All that this version carries, by number from 1 on, without a gap."""
    folder = files(__package__) / "migrations"
    found = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".up.sql"):
            stem = file.name.removesuffix(".up.sql")
            number, _, name = stem.partition("_")
            down = (folder / f"{stem}.down.sql").read_text()
            found.append(Migration(int(number), name, file.read_text(), down))
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
            for migration in known[current:wanted]:
                _apply(connection, migration)
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
        if number != position or checksum != known[position - 1].checksum:
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


def _apply(connection: Connection, migration: Migration) -> None:
    with connection.transaction():
        _run(connection, migration.up)
        connection.execute(
            "insert into migration (number, name, checksum) values (%s, %s, %s)",
            [migration.number, migration.name, migration.checksum],
        )


def _revert(connection: Connection, migration: Migration) -> None:
    with connection.transaction():
        _run(connection, migration.down)
        connection.execute("delete from migration where number = %s", [migration.number])


def _run(connection: Connection, statements: str) -> None:
    """Several statements, as a file has them."""
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(statements.encode())
