"""The schema goes forward and back with data in it, and refuses what it does not know."""

import threading
import time
from typing import Any

import collector_requests as otlp
import psycopg
import pytest
from collector_processes import Server

from memwarden_collector.errors import DatabaseReadOnly, MigrationLosesData, SchemaChanged, SchemaNewer
from memwarden_collector.store.connection import Database
from memwarden_collector.store.migrate import Migration, load_migrations, migrate

TABLES = (
    "select relname, attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute join pg_class"
    " on attrelid = pg_class.oid where relnamespace = 'memwarden'::regnamespace and attnum > 0 and not"
    " attisdropped"
    " and relkind in ('r', 'i', 'p', 'I') and relname !~ '_p[0-9]{8}' order by 1, attnum"
)


def applied(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("select number from memwarden.migration order by 1")]


def test_forward_back_forward_with_data(start: Any, database_url: str, rows: Any) -> None:
    collector = start(database_url)
    stack = (("a.py", 1, "f"),)
    otlp.post_metrics(collector.client, otlp.metrics("run", time.time()))
    otlp.post_profiles(collector.client, otlp.profiles("run", time.time(), [(stack, "1", 1, 1, 1)]))
    assert collector.client.post("/api/v1/scopes/run/judge").status_code == 200
    assert collector.stop() == 0
    before = rows(TABLES)
    known = load_migrations()
    with Database(database_url).connect("test") as connection:
        for target in (*range(len(known) - 1, -1, -1), len(known)):
            migrate(connection, target=target)
            assert applied(database_url) == list(range(1, target + 1))
            if target == 1:
                assert rows("select count(*) from mem_sample") == [(2,)]  # what is older stays
        assert migrate(connection) == 0
    assert rows(TABLES) == before
    collector = start(database_url)
    assert otlp.post_metrics(collector.client, otlp.metrics("run", time.time())).status_code == 200


def test_a_newer_and_a_changed_schema_are_refused(database_url: str) -> None:
    known = load_migrations()
    newer = (*known, Migration(len(known) + 1, "future", "create table future ()", "drop table future"))
    changed = (Migration(1, known[0].name, known[0].up + "-- changed", known[0].down), *known[1:])
    with Database(database_url).connect("test") as connection:
        assert migrate(connection, newer) == len(newer)
        with pytest.raises(SchemaNewer, match=f"--migrate-to {len(known)}"):
            migrate(connection, known)
        assert migrate(connection, newer, target=len(known)) == 1
        with pytest.raises(SchemaChanged, match="migration 1"):
            migrate(connection, changed)
        assert migrate(connection, known) == 0


def test_a_migration_that_fails_leaves_nothing(database_url: str) -> None:
    known = load_migrations()
    broken = (*known, Migration(len(known) + 1, "broken", "create table half (); select 1/0", ""))
    with (
        Database(database_url).connect("test") as connection,
        pytest.raises(Exception, match="division by zero"),
    ):
        migrate(connection, broken)
    assert applied(database_url) == list(range(1, len(known) + 1))
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select to_regclass('memwarden.half')").fetchone() == (None,)


def test_a_migration_that_would_lose_rows_is_undone(database_url: str) -> None:
    known = load_migrations()
    check = "select 'scope', count(*), coalesce(sum(scope_id), 0) from scope"
    careless = Migration(
        len(known) + 1,
        "careless",
        "delete from scope where name = 'b'; create table half ()",
        "delete from scope; drop table half",
        check=check,
    )
    careful = Migration(
        len(known) + 1, "careful", "create table half ()", "delete from scope; drop table half", check=check
    )
    with Database(database_url).connect("test") as connection:
        migrate(connection, known)
        connection.execute(
            "insert into scope (name, kind, seen_first, seen_last)"
            " select name, 'run', now(), now() from unnest(array['a', 'b', 'c']) name"
        )
        with pytest.raises(
            MigrationLosesData, match=r"was undone.*before: scope 3 rows; after: scope 2 rows"
        ):
            migrate(connection, (*known, careless))
        assert migrate(connection, (*known, careful)) == 1
        with pytest.raises(MigrationLosesData, match="after: scope 0 rows"):  # on the way back, too
            migrate(connection, (*known, careful), target=len(known))
        assert connection.execute("select count(*) from scope").fetchone() == (3,)
        assert applied(database_url) == list(range(1, len(known) + 2))


def test_several_start_at_once(database_url: str) -> None:
    ran = []

    def run() -> None:
        with Database(database_url).connect("test") as connection:
            ran.append(migrate(connection))

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == [0, 0, 0, 0, len(load_migrations())]


def test_a_read_only_database_is_refused(server: Server, database_url: str) -> None:
    name = database_url.split("/")[3].split("?")[0]
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"alter database {name} set default_transaction_read_only = on")
    with (
        Database(database_url).connect("test") as connection,
        pytest.raises(DatabaseReadOnly, match="name the primary"),
    ):
        migrate(connection)
