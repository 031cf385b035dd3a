"""A database for each test, and collectors that are stopped at its end."""

import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

# gRPC, a client here, would start threads again in every child between fork and exec; and a child with threads gets no
# user namespace for PostgreSQL.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
# The modules beside this one: import-mode importlib puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))

from collector_processes import Collector, Server, Shared

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="mwc-", dir=os.environ.get("TMPDIR", "/tmp")))
    running = Server(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop(signal.SIGQUIT)  # nothing of it is needed again
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _database(server: Server) -> str:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create database test")
    return server.url("test")


@pytest.fixture
def database_url(server: Server, _database: str) -> str:
    """An empty database; emptying one is faster than making one."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("alter database test reset all")
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'test'"
        )
    with psycopg.connect(_database, autocommit=True) as connection:
        connection.execute("drop schema if exists memwarden cascade")
    return _database


@pytest.fixture(scope="module")
def _shared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    name = f"shared{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = server.url(name)
    running = Collector(tmp_path_factory.mktemp("shared"), url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set search_path = memwarden")
        yield Shared(
            running.url,
            running.client,
            lambda query, *values: connection.execute(query, values).fetchall(),
            "",
        )
    assert running.stop() == 0, running.log.read_text()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()


@pytest.fixture
def shared(_shared: Shared) -> Shared:
    """The module's collector, with a scope for this test alone."""
    return replace(_shared, scope=f"run-{next(_numbers)}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Starts collectors, and stops at the end what was not stopped."""
    started: list[Collector] = []

    def begin(url: str, *options: str, env: dict[str, str] | None = None) -> Collector:
        collector = Collector(tmp_path, url, *options, env=env)
        started.append(collector)
        return collector

    yield begin
    for collector in started:
        collector.stop()


@pytest.fixture
def collector(start: Callable[..., Collector], database_url: str) -> Iterator[Collector]:
    running = start(database_url)
    yield running
    assert running.stop() == 0, running.log.read_text()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()


@pytest.fixture
def rows(database_url: str) -> Iterator[Callable[..., list[Any]]]:
    """Runs one query in the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set search_path = memwarden")
        yield lambda query, *values: connection.execute(query, values).fetchall()
