"""A database for each test, and collectors that are stopped at its end."""

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

# The modules beside this one: import-mode importlib puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))

from collector_processes import Collector, Server  # noqa: E402

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="mwc-", dir=os.environ.get("TMPDIR", "/tmp")))
    running = Server(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database_url(server: Server) -> str:
    """An empty database of its own."""
    name = f"test{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return server.url(name)


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
        if collector.process.poll() is None:
            collector.kill()


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
