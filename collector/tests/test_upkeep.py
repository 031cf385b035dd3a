"""Partitions, rollups and retention, on every kind of database that there is here."""

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import collector_requests as otlp
import databases
import numpy as np
import psycopg
import pytest
from collector_processes import Server

from memwarden_collector.columns import NUMBERS
from memwarden_collector.errors import StoreError
from memwarden_collector.settings import Analysis, Retention
from memwarden_collector.store import columnstore, lists, partitions, rollups
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.migrate import load_migrations, migrate
from memwarden_collector.store.recordings import RecordingLoader
from memwarden_collector.store.tables import EVERY, MEASURED
from memwarden_collector.store.tier import Layout, Store, Tier, describe
from memwarden_collector.store.upkeep import Done, Upkeep
from memwarden_core.recording import SeriesKey

KINDS = [
    pytest.param(name, marks=[] if name == "embedded" else [pytest.mark.system]) for name in databases.NAMES
]


@dataclass(frozen=True, slots=True)
class Held:
    """A migrated database, and a connection as the upkeep has it."""

    url: str
    store: Store
    connection: Connection

    def rows(self, query: str, *values: Any) -> list[Any]:
        return self.connection.execute(query.encode(), values).fetchall()

    def round(self, **days: float) -> Done:
        """One round; a step that fails fails the test."""

        def failed(step: str, error: StoreError) -> None:
            raise AssertionError(step) from error

        return Upkeep(self.store, Retention(**days)).round(self.connection, failed)


@pytest.fixture(scope="module", params=KINDS)
def kind_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="mwc-", dir=os.environ.get("TMPDIR", "/tmp")))
    folder.chmod(0o711)  # who gives up root's rights must pass through
    try:
        running = Server(folder, databases.programs(request.param, folder / "programs"))
        try:
            running.start()
            yield running
        finally:
            running.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(kind_server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    with psycopg.connect(kind_server.url(), autocommit=True) as connection:
        connection.execute("create database one")
        if "timescaledb" in request.node.callspec.params["kind_server"]:
            with psycopg.connect(kind_server.url("one"), autocommit=True) as inside:
                inside.execute("create extension timescaledb")
        yield kind_server.url("one")
        connection.execute("drop database one with (force)")


@pytest.fixture
def held(url: str) -> Iterator[Held]:
    with Database(url).connect("test") as connection:
        migrate(connection)
        yield Held(url, describe(connection), connection)


def add_scope(connection: Connection, name: str, first: datetime, last: datetime) -> tuple[int, int, int]:
    """A scope with a resource and a series; their ids."""
    row = connection.execute(
        "with s as (insert into scope (name, kind, interval_seconds, seen_first, seen_last)"
        "   values (%(name)s, 'run', 15, %(first)s, %(last)s) returning scope_id),"
        " r as (insert into resource (scope_id, fp, attrs, attrs_at, seen_first, seen_last)"
        "   select scope_id, %(name)s::bytea, '{}', %(last)s, %(first)s, %(last)s from s returning *),"
        " n as (insert into series (resource_id, fp, metric, unit, kind, temporality, monotonic, attribute, attrs)"
        "   select resource_id, %(name)s::bytea, 'gauge', '1', 'gauge', '', false, '', '{}' from r returning *)"
        " select scope_id, r.resource_id, series_id from r, n",
        {"name": name, "first": first, "last": last},
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def add_samples(connection: Connection, ids: tuple[int, int, int], times: list[datetime]) -> None:
    """As a writer does: samples of random values, and that they are there."""
    generator = random.Random(len(times))
    with connection.transaction(), connection.cursor() as cursor:
        for at in times:
            cursor.execute(
                "insert into mem_sample (ts, resource_id, anon_bytes, cpu_seconds) values (%s, %s, %s, %s)",
                [at, ids[1], generator.choice([None, generator.uniform(1e6, 1e9)]), at.timestamp()],
            )
            cursor.execute("insert into sample values (%s, %s, %s)", [at, ids[2], generator.uniform(-1, 1)])
        cursor.execute("insert into ingest_change (scope_id, since) values (%s, %s)", [ids[0], min(times)])


def expected(held: Held, width: str) -> tuple[list[Any], list[Any]]:
    """The rollups of one width, straight from all samples."""
    place = rollups.COLUMNS.index("anon_bytes") + 1, rollups.COLUMNS.index("cpu_seconds") + 1
    wide = held.rows(
        "select date_bin(%s::interval, ts, '2000-01-01'), resource_id, count(anon_bytes), min(anon_bytes),"
        " max(anon_bytes), (array_agg(anon_bytes order by ts desc) filter (where anon_bytes is not null))[1],"
        " count(cpu_seconds), min(cpu_seconds), max(cpu_seconds) from mem_sample group by 1, 2 order by 1, 2",
        width,
    )
    narrow = held.rows(
        "select date_bin(%s::interval, ts, '2000-01-01'), series_id, count(value), min(value), max(value),"
        " (array_agg(value order by ts desc))[1] from sample group by 1, 2 order by 1, 2",
        width,
    )
    assert place == (1, 4)
    return wide, narrow


def made(held: Held, level: str) -> tuple[list[Any], list[Any]]:
    wide = held.rows(
        "select bucket, resource_id, n[1], min[1], max[1], last[1], n[4], min[4], max[4]"
        f" from roll_mem_{level} order by 1, 2"
    )
    return wide, held.rows(
        f"select bucket, series_id, n, min, max, last from roll_sample_{level} order by 1, 2"
    )


WIDTHS = {"1m": "1 minute", "10m": "10 minutes", "1h": "1 hour", "1d": "1 day"}


def test_the_tier_is_found(held: Held, request: pytest.FixtureRequest) -> None:
    timescaledb = "timescaledb" in request.node.callspec.params["kind_server"]
    assert held.store.tier is (Tier.APACHE if timescaledb else Tier.PLAIN)
    assert held.store.layout is (Layout.HYPERTABLES if timescaledb else Layout.PARTITIONS)
    assert bool(held.store.timescaledb) is timescaledb
    assert f"tier {held.store.tier}" in str(held.store)


def test_forward_and_back_keep_every_row(url: str) -> None:
    now = datetime.now(UTC)
    with Database(url).connect("test") as connection:
        migrate(connection, target=4)
        ids = add_scope(connection, "run", now - timedelta(days=3), now)
        add_samples(connection, ids, [now - timedelta(hours=hour) for hour in range(70)])
        connection.execute(
            "insert into profile (ts, resource_id, live_bytes_total, samples_total, cells, stacks, ages, live_bytes,"
            " blocks, samples) select now() - n * interval '1 hour', %s, n, 1, 1, '{1}', '{1}', '{1}', '{1}', '{1}'"
            " from generate_series(1, 30) n",
            [ids[1]],
        )
        connection.execute("insert into ingest_batch values ('a', 1), ('b', 2)")
        connection.execute(
            "insert into distribution (ts, series_id, count, bounds_id, buckets)"
            " select now() - n * interval '5 hours', 1, n, 1, array[n] from generate_series(1, 20) n"
        )
        held = Held(url, describe(connection), connection)

        def content() -> list[list[Any]]:
            return [
                held.rows("select * from mem_sample order by ts"),
                held.rows("select * from sample order by ts"),
                held.rows("select * from distribution order by ts"),
                held.rows("select * from profile order by profile_id"),
                held.rows("select batch_id, signal from ingest_batch order by 1"),
            ]

        before = content()
        for _ in range(2):
            assert migrate(connection) == len(load_migrations()) - 4
            assert content() == before
            Held(url, describe(connection), connection).round()  # the rows are in partitions of their own now
            assert content() == before
            connection.execute("set search_path = memwarden")
            assert migrate(connection, target=4) == len(load_migrations()) - 4
            assert content() == before
            connection.execute(
                "insert into profile (ts, resource_id, live_bytes_total, samples_total, cells, stacks, ages,"
                " live_bytes, blocks, samples) values (now(), 1, 1, 1, 1, '{}', '{}', '{}', '{}', '{}')"
            )
            before = content()


def test_rows_of_any_time_are_stored_and_go_to_their_day(held: Held) -> None:
    now = datetime.now(UTC)
    days = [-400, -3, -1, 0, 1, 40]
    ids = add_scope(held.connection, "run", now - timedelta(days=400), now)
    add_samples(held.connection, ids, [now + timedelta(days=day) for day in days])
    done = held.round(samples_days=5)
    native = held.store.layout is Layout.PARTITIONS
    kept = held.rows("select ts from mem_sample order by ts")
    if native:
        assert done.made >= len(MEASURED) * 3
        assert done.moved > 0
        for table in MEASURED:
            starts = {one.start for one in partitions.existing(held.connection, table)}
            assert set(partitions.steps(table, now, now + timedelta(days=2))) <= starts
        # In a partition of its day, but for the one from a day that is far away.
        assert [row[0] for row in held.rows("select ts from mem_sample_default")] == [
            now + timedelta(days=40)
        ]
    # The oldest is gone once it was rolled up: the first round may have come before that.
    assert kept[-5:] == [(now + timedelta(days=day),) for day in days[1:]]
    held.round(samples_days=5)
    assert held.rows("select ts from mem_sample order by ts") == kept[-5:]
    assert held.rows("select count(*) from roll_mem_1m where bucket < now() - interval '300 days'") == [(0,)]


def test_rollups_are_what_the_samples_were_whenever_they_came(held: Held) -> None:
    assert set(rollups.COLUMNS) == set(NUMBERS)
    now = datetime.now(UTC)
    generator = random.Random(7)
    start = now - timedelta(days=3)
    every = [start + timedelta(seconds=generator.uniform(0, 3 * 86_400)) for _ in range(900)]
    ids = [add_scope(held.connection, f"run{place}", start, now) for place in range(3)]
    parts = [every[:500], every[500:890], every[890:]]  # each later part comes late
    for part in parts:
        for one in ids:
            add_samples(held.connection, one, part)
        held.round(samples_days=30)
        closed = now - timedelta(minutes=2)
        for level, width in WIDTHS.items():
            step = {one.name: one.width for one in rollups.LEVELS}[level]
            for found, wanted in zip(made(held, level), expected(held, width), strict=True):
                over = [row for row in wanted if row[0] + step <= closed]
                assert [row for row in found if row[0] + step <= closed] == over
                assert over
    sums = held.rows("select sum(sum[1]) from roll_mem_1h where bucket < %s", now - timedelta(hours=3))
    end = rollups.bucket_start(rollups.LEVELS[2], now - timedelta(hours=3)) + timedelta(hours=1)
    raw = held.rows("select sum(anon_bytes) from mem_sample where ts < %s", end)
    assert sums[0][0] == pytest.approx(raw[0][0], rel=1e-9)
    assert held.round(samples_days=30).rolled_up == 0  # nothing new, nothing written


def test_a_bucket_is_made_when_its_time_is_over(held: Held) -> None:
    """What is still open waits, also when its scope has ended by then."""
    now = datetime.now(UTC)
    ids = add_scope(held.connection, "run", now - timedelta(seconds=200), now)
    minute = rollups.LEVELS[0]
    add_samples(held.connection, ids, [now - timedelta(seconds=second) for second in range(0, 200, 5)])

    def prepare(table: Any, starts: Any) -> None:
        if held.store.layout is Layout.PARTITIONS:
            there = {one.start for one in partitions.existing(held.connection, table)}
            for step in starts:
                if step not in there:
                    partitions.make(held.connection, table, step)

    rollups.take_changes(held.connection)
    for later in range(0, 400, 20):
        rollups.make(held.connection, minute, now + timedelta(seconds=later), prepare)
    assert made(held, "1m") == expected(held, "1 minute")
    assert held.rows("select * from rollup_waiting where level = 1") == []


def test_samples_go_only_after_they_were_rolled_up(held: Held) -> None:
    now = datetime.now(UTC)
    ids = add_scope(held.connection, "run", now - timedelta(days=20), now)
    times = [now - timedelta(days=20) + timedelta(hours=hour) for hour in range(480)]
    add_samples(held.connection, ids, times)
    count = len(times)

    def there(table: str) -> int:
        return int(held.rows(f"select count(*) from {table}")[0][0])

    while held.round(samples_days=1000).moved:  # some days a round
        pass
    wanted = expected(held, "1 hour")
    held.connection.execute(
        "insert into rollup_waiting values (1, %s, %s)"
        " on conflict (level, scope_id) do update set since = excluded.since",
        [ids[0], times[0]],
    )
    upkeep = Upkeep(held.store, Retention(samples_days=7))
    upkeep._retain(held.connection, now, Done())  # what waits is not taken away
    assert there("mem_sample") == count
    held.round(samples_days=7)
    for table in ("mem_sample", "sample"):
        assert 7 * 24 <= there(table) <= 8 * 24 + 1
    assert made(held, "1h")[0][:400] == wanted[0][:400]
    # Late by more than what is kept: the buckets of then stay as they are.
    add_samples(held.connection, ids, [times[0] + timedelta(seconds=1)])
    held.round(samples_days=7)
    assert made(held, "1h")[0][:400] == wanted[0][:400]


def test_a_clock_that_jumps_takes_nothing_away(held: Held) -> None:
    """Age is counted from the newest sample, not from a clock of some machine."""
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=900)
    ids = add_scope(held.connection, "run", long_ago - timedelta(days=1), long_ago)
    add_samples(held.connection, ids, [long_ago - timedelta(hours=hour) for hour in range(20)])
    for _ in range(2):
        held.round()
    assert held.rows("select count(*) from mem_sample") == [(20,)]


def test_changes_are_joined_and_no_reader_misses_one(held: Held) -> None:
    now = datetime.now(UTC)
    ids = add_scope(held.connection, "run", now - timedelta(days=1), now)
    for second in range(5):
        add_samples(held.connection, ids, [now - timedelta(seconds=second)])
    seen = held.rows("select max(xact), min(since), count(*) from ingest_change")
    held.connection.execute("update ingest_change set at = now() - interval '1 hour'")
    held.round()
    assert held.rows("select xact, since from ingest_change") == [seen[0][:2]]
    assert seen[0][2] == 5


def test_a_long_time_is_read_from_rollups(held: Held) -> None:
    now = datetime.now(UTC)
    start = now - timedelta(days=2)
    ids = add_scope(held.connection, "run", start, now)
    times = [start + timedelta(seconds=15 * tick) for tick in range(2 * 86_400 // 15)]
    with held.connection.transaction():
        held.connection.execute(
            "insert into mem_sample (ts, resource_id, anon_bytes, cpu_seconds)"
            " select t, %s, 1e8 + 1e4 * extract(epoch from t - %s) + case when random() < 0.5 then 1e7 else 0 end,"
            " extract(epoch from t) from unnest(%s::timestamptz[]) t",
            [ids[1], start, times],
        )
        held.connection.execute(
            "insert into ingest_change (scope_id, since) values (%s, %s)", [ids[0], start]
        )
    bounds = Analysis(max_scope_rows=4000, window_seconds=3 * 86_400)
    database = Database(held.url)
    short = RecordingLoader(database, bounds).load("run")
    assert short is not None
    assert short.ended - short.started < 86_400  # the newest samples only: nothing is rolled up yet
    held.round()
    kept = RecordingLoader(database, bounds)
    recording = kept.load("run")
    assert recording is not None
    assert recording.started == pytest.approx(start.timestamp(), abs=3600)
    assert recording.ended == times[-1].timestamp()
    anon = recording.series[SeriesKey("memwarden.memory.anon")]
    assert 500 < len(anon.time) < bounds.max_scope_rows
    assert np.all(np.diff(anon.time) > 0)
    slope = np.polyfit(anon.time, anon.value, 1)[0]
    assert slope == pytest.approx(1e4, rel=0.05)
    cpu = next(series for key, series in recording.series.items() if "cpu" in key.metric)
    assert np.all(np.diff(cpu.value) > 0)
    # What came late for the rolled-up part is seen at once, and by a new load too.
    late = start + timedelta(hours=1, seconds=7)
    held.connection.execute(
        "insert into mem_sample (ts, resource_id, anon_bytes) values (%s, %s, 9e9)", [late, ids[1]]
    )
    held.connection.execute("insert into ingest_change (scope_id, since) values (%s, %s)", [ids[0], late])
    held.round()
    for loader in (kept, RecordingLoader(database, bounds)):
        again = loader.load("run")
        assert again is not None
        assert again.series[SeriesKey("memwarden.memory.anon")].value.max() == 9e9
    # A chart reads the rollups where it needs no more, and the samples where it does.
    span = {
        "start": start.timestamp(),
        "end": now.timestamp(),
        "metric": "memwarden.memory.anon",
        "pid": None,
    }
    few = lists.series(held.connection, ids[0], **span, points=100)[0]  # type: ignore[arg-type]
    assert len(few.time) < 1000
    assert few.value.max() == 9e9
    assert few.rolled
    whole = lists.series(held.connection, ids[0], **span)[0]  # type: ignore[arg-type]
    assert len(whole.time) == len(times) + 1
    # Retention takes the samples, and the chart is still whole.
    for _ in range(2):
        held.round(samples_days=0.5)
    assert held.rows("select min(ts) from mem_sample")[0][0] > start + timedelta(hours=11)
    left = lists.series(held.connection, ids[0], **span, points=11_000)[0]  # type: ignore[arg-type]
    assert left.time[0] < start.timestamp() + 3600
    assert np.all(np.diff(left.time) > 0)
    after = RecordingLoader(database, Analysis(window_seconds=3 * 86_400)).load("run")
    assert after is not None
    assert after.started == pytest.approx(start.timestamp(), abs=3600)
    database.close()


@pytest.mark.parametrize("kind_server", [KINDS[2]], indirect=True)
def test_timescaledb_may_come_later(kind_server: Server) -> None:
    """The tables stay as they are; back and forward again makes them hypertables, with all rows."""
    with psycopg.connect(kind_server.url(), autocommit=True) as admin:
        admin.execute("create database later")
        now = datetime.now(UTC)
        with Database(kind_server.url("later")).connect("test") as connection:
            migrate(connection)
            held = Held("", describe(connection), connection)
            ids = add_scope(connection, "run", now - timedelta(days=2), now)
            add_samples(connection, ids, [now - timedelta(hours=hour) for hour in range(40)])
            held.round()
            connection.execute("create extension timescaledb schema public")
            held = Held("", describe(connection), connection)
            assert (held.store.tier, held.store.layout) == (Tier.APACHE, Layout.PARTITIONS)
            add_samples(connection, ids, [now - timedelta(minutes=5)])
            held.round()
            connection.execute("set search_path = memwarden")
            wanted = expected(held, "1 hour")
            assert migrate(connection, target=4) == len(load_migrations()) - 4
            assert migrate(connection) == len(load_migrations()) - 4
            held = Held("", describe(connection), connection)
            assert held.store.layout is Layout.HYPERTABLES
            held.round()
            assert expected(held, "1 hour") == wanted
            assert made(held, "1h")[0] == [
                row for row in wanted[0] if row[0] < now.replace(minute=0, second=0, microsecond=0)
            ]
        admin.execute("drop database later with (force)")


def test_the_full_editions_statements_are_text_that_the_apache_edition_refuses(held: Held) -> None:
    """They can't be proven here: that they are refused for their edition shows at least that they are understood."""
    assert columnstore.enable("sample").startswith("alter table memwarden.sample set (timescaledb.compress")
    assert {table.name for table in EVERY} >= set(columnstore.SEGMENT_BY)
    if held.store.tier is not Tier.APACHE:
        return
    held.round()
    assert held.rows(columnstore.IS_ENABLED, "sample") == [(False,)]
    assert held.rows(columnstore.NEXT_CHUNK, "sample", "sample", 1) == []
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        held.connection.execute(columnstore.enable("sample").encode())


def test_one_of_several_collectors_does_the_upkeep(start: Callable[..., Any], database_url: str) -> None:
    one, other = (start(database_url, "--upkeep-seconds", "0.2") for _ in range(2))
    assert one.client.get("/readyz").json()["database"]["tier"] == "plain"

    def rounds(collector: Any) -> int:
        text = collector.client.get("/metrics").text
        found = [
            line for line in text.splitlines() if line.startswith("memwarden_collector_upkeep_rounds_total ")
        ]
        return int(float(found[0].split()[-1])) if found else 0

    def wait(collector: Any, least: int) -> None:
        until = time.monotonic() + 60
        while rounds(collector) < least:
            assert time.monotonic() < until, collector.log.read_text()
            time.sleep(0.05)

    assert otlp.post_metrics(one.client, otlp.metrics("run", time.time() - 300)).is_success
    until = time.monotonic() + 60
    while rounds(one) + rounds(other) < 3:
        assert time.monotonic() < until
        time.sleep(0.05)
    busy, idle = (one, other) if rounds(one) else (other, one)
    assert rounds(idle) == 0
    assert 'store_info{layout="partitions",tier="plain"} 1' in busy.client.get("/metrics").text
    busy.kill()
    wait(idle, 2)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) > 0 from memwarden.roll_mem_1m").fetchone() == (True,)
    assert "upkeep could not" not in idle.log.read_text()


@pytest.mark.system
def test_a_collector_works_on_it(url: str, start: Callable[..., Any]) -> None:
    """Doors, analysis and interface, with the upkeep beside them."""
    collector = start(url, "--upkeep-seconds", "0.5")
    ended = time.time()
    stack = (("app.py", 3, "f"), ("main.py", 1, "main"))
    for tick in range(90):
        at = ended - 180 + 2 * tick
        key = otlp.batch_id()
        for _ in range(2):  # each is sent twice, and counts once
            assert otlp.post_metrics(
                collector.client, otlp.metrics("run", at, 1e8 + tick), memwarden_batch_id=key
            ).is_success
        if tick % 10 == 0:
            profile = otlp.profiles("run", at, [(stack, "1", 1000 + tick, 1, 1)])
            assert otlp.post_profiles(collector.client, profile).is_success
    assert collector.client.post("/api/v1/scopes/run/judge").status_code == 200
    node = collector.client.get("/api/v1/scopes/run/flame").json()["nodes"][-1]
    assert (node["live_bytes"], node["frame"]["line"]) == (1080, 3)
    points = collector.client.get(
        "/api/v1/scopes/run/series", params={"metric": "memwarden.memory.anon"}
    ).json()
    assert len(points["items"][0]["times"]) == 90
    until = time.monotonic() + 60
    with psycopg.connect(url, autocommit=True) as connection:
        wanted = connection.execute(
            "select count(distinct (resource_id, date_bin('1 minute', ts, '2000-01-01'))) from memwarden.mem_sample"
            " where ts < date_bin('1 minute', now() - interval '30 seconds', '2000-01-01')"
        ).fetchone()
        while connection.execute("select count(*) >= %s from memwarden.roll_mem_1m", wanted).fetchone() != (
            True,
        ):
            assert time.monotonic() < until, collector.log.read_text()
            time.sleep(0.1)
    text = collector.client.get("/metrics").text
    assert "memwarden_collector_upkeep_rounds_total" in text
    assert "upkeep could not" not in collector.log.read_text(), collector.log.read_text()
    assert collector.stop() == 0
    assert "Traceback" not in collector.log.read_text()
    # And back to where it was before, with all rows.
    with Database(url).connect("test") as connection:
        assert migrate(connection, target=4) == len(load_migrations()) - 4
        assert connection.execute("select count(*) from mem_sample").fetchone() == (180,)


def test_writers_notice_nothing_while_partitions_are_made(held: Held) -> None:
    """Each row is stored once, whether it comes before its partition, after it, or at that moment."""
    if held.store.layout is Layout.HYPERTABLES:
        pytest.skip("TimescaleDB makes its chunks itself")
    now = partitions.step_start(MEASURED[0], datetime.now(UTC))
    stop = threading.Event()
    written = [0, 0, 0]
    errors: list[Exception] = []

    def write(place: int) -> None:
        with Database(held.url).connect("writer") as connection:
            while not stop.is_set():
                written[place] += 1
                times = [now + timedelta(days=day, seconds=written[place]) for day in range(-20, 20)]
                try:
                    with (
                        connection.transaction(),
                        connection.cursor() as cursor,
                        cursor.copy("copy sample (ts, series_id, value) from stdin") as copy,
                    ):
                        for at in times:
                            copy.write_row((at, place, written[place]))
                except psycopg.Error as error:
                    errors.append(error)
                    return

    threads = [threading.Thread(target=write, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for day in range(-20, 20):
        partitions.make(held.connection, MEASURED[1], now + timedelta(days=day))
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]
    counted = held.rows("select series_id, count(*), max(value) from sample group by 1 order by 1")
    assert counted == [(place, 40 * written[place], written[place]) for place in range(3)]
    assert held.rows("select count(*) from sample_default") == [(0,)]
