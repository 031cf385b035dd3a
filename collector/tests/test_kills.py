"""Kill −9 of the collector and of PostgreSQL, a full disk, a database that hangs: at random moments under load, what
was acknowledged is stored, once. Simulated sidecars send all the time, each batch again until it is acknowledged; in
the end the database is counted.
"""

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from collector_load import running
from collector_load.senders import Outcome, Plan, Sending

SECONDS = 240
_COLUMNS = (
    "anon_bytes, limit_bytes, available_bytes, cpu_seconds, process_count, rss_bytes, thread_count, fd_count,"
    " heap_live_bytes, heap_allocated_bytes, heap_samples, heap_sampling_bytes, probe_cpu_seconds,"
    " probe_silence_seconds"
)


class Victims:
    """A collector and its database, and what may happen to them. Each is started again."""

    def __init__(self, folder: Path, database: Any, *options: str) -> None:
        self.folder = folder
        self._database = database
        self._options = options
        self._stack = contextlib.ExitStack()
        self._collector = self._start()
        self.url_file = folder / "port"

    def _start(self) -> running.Collector:
        return self._stack.enter_context(
            running.started(self._database.url, self._database.child.pid, self.folder, *self._options)
        )

    def close(self) -> None:
        self._stack.close()

    def collector_killed(self) -> None:
        self._collector.process.kill()
        self._collector.process.wait(60)
        self._collector = self._start()

    def database_killed(self) -> None:
        os.kill(self._database.child.pid, signal.SIGKILL)
        self._start_database()

    def database_hangs(self, seconds: float = 5.0) -> None:
        """Everything of it is stopped, connections stay open: nobody is told that anything is wrong."""
        everyone = [self._database.child.pid, *running.children(self._database.child.pid)]
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def disk_is_full(self) -> None:
        """For three seconds. PostgreSQL gives up when it can't write its log, and is started again then."""
        fat = self.folder / "fat"
        with fat.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"\0" * 65_536)
        time.sleep(3)
        fat.unlink()
        until = time.monotonic() + SECONDS
        while not self._writes():
            if self._database.child.exit_code() is not None:
                self._start_database()
                return
            assert time.monotonic() < until, "the database neither writes nor ends"
            time.sleep(0.2)

    def _writes(self) -> bool:
        """Whether the database gets its log onto the disk: then it has outlived its want of room."""
        with contextlib.suppress(psycopg.Error), psycopg.connect(self._database.url, autocommit=True) as one:
            one.execute("select pg_logical_emit_message(true, 'memwarden', 'there is room')")
            return True
        return False

    def _start_database(self) -> None:
        self._database.start_again()
        until = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self._database.url).close()
                return
            assert time.monotonic() < until, "the database does not come back"
            time.sleep(0.05)

    def count(self) -> dict[str, int]:
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            connection.execute("set search_path = memwarden")

            def one(query: str) -> int:
                row = connection.execute(query.encode()).fetchone()
                assert row is not None
                return int(row[0] or 0)

            return {
                "batches": one("select count(*) from ingest_batch"),
                "ids": one("select count(distinct batch_id) from ingest_batch"),
                "values": one(f"select sum(num_nonnulls({_COLUMNS})) from mem_sample")
                + one("select count(*) from sample"),
                "rows": one("select count(*) from mem_sample") + one("select count(*) from sample"),
                "different": one("select count(*) from (select distinct resource_id, ts from mem_sample) one")
                + one("select count(*) from (select distinct series_id, ts from sample) one"),
            }


Fault = Callable[[Victims], None]


def suffer(victims: Victims, faults: list[Fault], source: random.Random, pause: float) -> Outcome:
    """Load, and one fault after another, each after a moment of chance; then everything on its way may arrive."""
    stop = victims.folder / "stop"
    plan = Plan(
        url="",
        url_file=str(victims.url_file),
        stop_file=str(stop),
        kind="sidecar",
        senders=60,
        connections=12,
        seconds=3600,
        rate=120.0,
        settle_seconds=SECONDS,
        again=True,
        churn=5,
        seed=source.randrange(1 << 30),
    )
    sending = Sending(plan)
    try:
        for fault in faults:
            time.sleep(source.uniform(0.2, pause))
            assert sending.running
            fault(victims)
        time.sleep(1)
        stop.touch()
        return sending.result()
    finally:
        sending.end()


def check(outcome: Outcome, counted: dict[str, int]) -> None:
    """Every batch was acknowledged in the end: all of them are there, and nothing twice."""
    assert outcome.acknowledged == outcome.sent > 0, outcome
    assert counted["batches"] == counted["ids"] == outcome.acknowledged, (outcome, counted)
    assert counted["values"] == outcome.points, (outcome, counted)
    assert counted["rows"] == counted["different"], (outcome, counted)
    assert set(outcome.statuses) <= {"200", "503", "0"}, outcome.statuses


@pytest.fixture
def victims() -> Iterator[Victims]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mwk") as name:
        yield from _victims(Path(name))


@pytest.fixture
def victims_on_a_small_disk() -> Iterator[Victims]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mwk") as name:
        disk = Path(name) / "d"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400m", "memwarden-test", str(disk)],
            capture_output=True,
            text=True,
        )
        if mounted.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield from _victims(disk)
        finally:
            until = time.monotonic() + 30
            while subprocess.run(["umount", str(disk)], capture_output=True).returncode:
                assert time.monotonic() < until, "the disk is still used"
                time.sleep(0.2)


def _victims(folder: Path) -> Iterator[Victims]:
    with running.serving(folder) as database:
        found = Victims(folder, database, "--commit-seconds", "3")
        try:
            yield found
        finally:
            found.close()


@pytest.mark.slow
def test_kills_under_load(victims: Victims) -> None:
    outcome = suffer(
        victims, [Victims.collector_killed, Victims.database_killed], random.Random(time.time_ns()), 1.0
    )
    check(outcome, victims.count())
    assert outcome.statuses.keys() - {"200"}, "nobody noticed anything"


@pytest.mark.system
@pytest.mark.slow
def test_five_faults_under_load(victims_on_a_small_disk: Victims) -> None:
    victims = victims_on_a_small_disk
    faults = [
        Victims.database_hangs,
        Victims.disk_is_full,
        Victims.collector_killed,
        Victims.database_killed,
        Victims.collector_killed,
    ]
    outcome = suffer(victims, faults, random.Random(time.time_ns()), 1.0)
    check(outcome, victims.count())


@pytest.mark.nightly
def test_fifty_faults_at_random_moments(victims_on_a_small_disk: Victims, record_property: Any) -> None:
    victims = victims_on_a_small_disk
    seed = time.time_ns()
    record_property("seed", seed)
    source = random.Random(seed)
    faults = source.choices(
        [Victims.collector_killed, Victims.database_killed, Victims.disk_is_full, Victims.database_hangs],
        weights=(18, 18, 7, 6),
        k=49,
    )
    faults.insert(source.randrange(50), lambda them: them.database_hangs(60))
    outcome = suffer(victims, faults, source, 4.0)
    counted = victims.count()
    record_property("batches acknowledged, and stored once", f"{outcome.acknowledged}, {counted['batches']}")
    check(outcome, counted)
