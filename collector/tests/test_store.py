"""The store alone: what is kept in memory equals what is in the database, errors have a next step."""

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import collector_requests as otlp
import numpy as np
import psycopg
import pytest
from fleets import Fleet, flat

from memwarden_api import names
from memwarden_collector.batch import (
    Batch,
    ResourceBlock,
    ResourceId,
    SeriesId,
    SeriesInfo,
    Signal,
    fingerprint,
)
from memwarden_collector.errors import DatabaseAway, DatabaseFull, DatabaseTooOld, DataRefused
from memwarden_collector.settings import Analysis
from memwarden_collector.store import connection as connections
from memwarden_collector.store.cache import StagedCache
from memwarden_collector.store.connection import Database, translated
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.past import ProfileMeta, choose
from memwarden_collector.store.recordings import RecordingLoader
from memwarden_collector.store.writer import Writer, _enter_ledger, _time_of
from memwarden_core import containers
from memwarden_core.recording import Recording, SeriesKey
from memwarden_core.settings import Sensitivity


def assert_equal(one: Recording, other: Recording) -> None:
    assert one.series.keys() == other.series.keys()
    for key, series in one.series.items():
        np.testing.assert_array_equal(series.time, other.series[key].time)
        np.testing.assert_array_equal(series.value, other.series[key].value)
        assert np.all(np.diff(series.time) > 0)
    assert one.processes == other.processes
    assert (one.started, one.ended, one.interval, one.limit) == (
        other.started,
        other.ended,
        other.interval,
        other.limit,
    )
    assert len(one.profiles) == len(other.profiles)
    for left, right in zip(one.profiles, other.profiles, strict=True):
        assert (left.time, left.process) == (right.time, right.process)
        mine = {
            one.stacks[stack]: row.tolist() for stack, row in zip(left.stacks, left.live_bytes, strict=True)
        }
        theirs = {
            other.stacks[stack]: row.tolist()
            for stack, row in zip(right.stacks, right.live_bytes, strict=True)
        }
        assert mine == theirs


def test_how_its_owner_wants_it_judged_comes_with_a_recording(
    start: Callable[..., Any], database_url: str
) -> None:
    collector = start(database_url)
    assert tuple(Sensitivity) == names.SENSITIVITIES
    wishes = {names.DETECTION_SENSITIVITY: "high", names.DETECTION_WARM_UP: "60"}
    request = otlp.metrics("run", time.time())
    attributes = otlp.scope_attributes("run", **wishes)
    otlp.add_resource(request, attributes, time.time(), [(names.MEMORY_ANON, 1e8, {})])
    assert otlp.post_metrics(collector.client, request).is_success
    database = Database(database_url)
    recording = RecordingLoader(database, Analysis()).load("run")
    database.close()
    assert recording is not None
    assert recording.labels == {"host": "machine", "sensitivity": "high", "warm_up_seconds": "60"}


def test_caches_and_containers_come_back_with_what_they_are(
    start: Callable[..., Any], database_url: str
) -> None:
    collector = start(database_url)
    ended = time.time()
    cache = {
        names.CACHE_ID: "00ff", names.CACHE_KIND: "lru_cache", names.CACHE_NAME: "Shop.price",
        names.CODE_FILE: "/srv/a,b=c/shop.py", names.CODE_LINE: 12,
    }  # fmt: skip
    container = {names.CONTAINER_ID: "11aa", names.CONTAINER_TYPE: "builtins.dict"}
    for tick in range(3):
        request = otlp.metrics("run", ended - 60 + 30 * tick, 1e8, 100)
        held = {**container, names.CONTAINER_NAME: "shop.ORDERS"} if tick else container
        points = [
            (names.CACHE_ENTRIES, 10 * tick, cache),
            (names.CACHE_BOUND, 50, cache),
            (names.CACHE_HITS, 30 * tick, cache),
            (names.CACHE_MISSES, 10 * tick, cache),
            (names.CONTAINER_ENTRIES, 300 + tick, held),
        ]
        otlp.add_resource(request, otlp.process_attributes("run", 100), ended - 60 + 30 * tick, points)
        assert otlp.post_metrics(collector.client, request).is_success
    database = Database(database_url)
    recording = RecordingLoader(database, Analysis()).load("run")
    database.close()
    assert recording is not None
    (found,) = containers.caches(recording)
    assert (found.kind, found.name, found.file, found.line) == (
        "lru_cache",
        "Shop.price",
        cache[names.CODE_FILE],
        12,
    )
    assert (found.bound, found.hit_rate, found.entries.value.tolist()) == (50, 0.75, [0, 10, 20])
    assert recording.processes[found.process].pid == 100
    (orders,) = containers.containers(recording)
    assert (orders.name, orders.type, orders.entries.value.tolist()) == (
        "shop.ORDERS", "builtins.dict", [300, 301, 302],
    )  # fmt: skip


def test_what_is_kept_in_memory_is_what_a_new_load_gives(
    start: Callable[..., Any], database_url: str
) -> None:
    collector = start(database_url)
    database = Database(database_url)
    kept = RecordingLoader(database, Analysis())
    ended = time.time()
    order = [
        *range(20),
        *range(40, 45),
        *range(20, 40),
        44,
        50,
        49,
    ]  # late data, and two requests of a moment
    for count, tick in enumerate(order):
        pid = 100 + tick % 3
        assert otlp.post_metrics(
            collector.client, otlp.metrics("run", ended - 60 + tick, 1e8 + count, pid)
        ).is_success
        stack = ((f"{tick % 4}.py", tick % 5 + 1, "f"), ("main.py", 1, "main"))
        cells = [(stack, "1", 10 * tick, 1, 1), (stack[1:], "inf", 5, 1, 1)]
        assert otlp.post_profiles(
            collector.client, otlp.profiles("run", ended - 60 + tick, cells, pid)
        ).is_success
        if count % 7 == 0:
            kept.load("run")
    recording = kept.load("run")
    fresh = RecordingLoader(database, Analysis()).load("run")
    assert recording is not None
    assert fresh is not None
    assert_equal(recording, fresh)
    assert len(recording.series[SeriesKey(names.MEMORY_ANON)].time) == len(set(order))
    assert SeriesKey(names.GC_COLLECTIONS, 0, "2") in recording.series
    later = kept.load("run", since=ended - 15)
    assert later is not None
    assert later.series[SeriesKey(names.MEMORY_ANON)].time[0] >= ended - 15
    assert kept.load("none") is None
    database.close()


def test_the_past_is_bounded(start: Callable[..., Any], database_url: str) -> None:
    collector = start(database_url)
    database = Database(database_url)
    ended = time.time()
    kept = RecordingLoader(database, Analysis(max_scope_rows=200, max_profile_rows=100))
    stack = (("a.py", 1, "f"),)
    for tick in range(120):
        otlp.post_metrics(collector.client, otlp.metrics("run", ended - 120 + tick))
        cells = [((("b.py", line, "g"), *stack), "1", 1, 1, 1) for line in range(1, 6)]
        otlp.post_profiles(collector.client, otlp.profiles("run", ended - 120 + tick, cells))
        if tick % 10 == 0:
            kept.load("run")
    for loader in (kept, RecordingLoader(database, Analysis(max_scope_rows=200, max_profile_rows=100))):
        recording = loader.load("run")
        assert recording is not None
        assert sum(len(series.time) for key, series in recording.series.items() if key.process is None) < 500
        assert recording.ended == pytest.approx(ended - 1, abs=1e-3)
        assert 0 < sum(len(profile.stacks) for profile in recording.profiles) <= 100
        assert recording.profiles[-1].time == pytest.approx(ended - 1, abs=1e-3)
    database.close()


def test_thinning_keeps_the_newest_and_every_second_fourth() -> None:
    metas = [ProfileMeta(number, float(number), number % 2, 10, number // 2) for number in range(40)]
    assert choose(metas, 400) == list(range(40))
    fewer = choose(metas, 230)
    assert {38, 39} <= set(fewer)
    assert {meta.ordinal % 2 for meta in metas if meta.profile_id in set(fewer) - {38, 39}} == {0}
    assert set(choose(metas, 100)) <= set(fewer)
    assert choose(metas, 1) == [38, 39]
    assert choose([], 5) == []


def test_a_cache_forgets_what_was_rolled_back_and_stays_bounded() -> None:
    cache: StagedCache[int, int] = StagedCache(10)
    cache.stage(1, 1)
    assert cache.get(1) == 1
    cache.rollback()
    assert cache.get(1) is None
    for number in range(50):
        cache.stage(number, number)
        cache.commit()
        assert len(cache) <= 10
    assert cache.get(49) == 49


def test_a_cache_is_bounded_by_what_its_entries_take() -> None:
    cache: StagedCache[str, int] = StagedCache(1000, lambda key, value: len(key) + value)
    names_ = [f"{number}" + "x" * 90 for number in range(50)]
    for name in names_:
        cache.stage(name, 5)
        cache.commit()
        assert cache.weight == sum(len(one) + 5 for one in names_ if cache.get(one))
        assert cache.weight <= 1000
    cache.stage(names_[-1], 200)  # an entry that grew
    cache.commit()
    assert 200 < cache.weight == sum(len(one) + (cache.get(one) or 0) for one in names_ if cache.get(one))
    cache.clear()
    assert cache.weight == 0


def test_ids_of_names_keep_to_their_memory(database_url: str) -> None:
    """Long names, many of them: the caches take no more than they may, and everything is stored all the same."""
    most = 1 << 20
    with Database(database_url).connect("test") as connection:
        migrate(connection)
    writer = Writer(Database(database_url), 1_000_000, most)
    writer.start()
    text, heaviest = "v" * 2000, 0
    for place in range(30):
        identity = ResourceId(f"run{place}", "run", None, None, fingerprint(place))
        ids = [SeriesId(identity.fp, "m", json.dumps({"k": f"{n}{text}"})) for n in range(40)]
        block = ResourceBlock(identity, {"a": text})
        block.narrow = [(place * 1_000_000 + 1, one, 1.0) for one in ids]
        block.series = {one: SeriesInfo("By", "gauge", "", False, "") for one in ids}
        assert writer.submit(Batch(fingerprint("batch", place), Signal.METRICS, [block])).result(60)
        heaviest = max(heaviest, writer.dictionary_bytes)
    writer.close(5)
    assert most / 10 < heaviest <= most
    with Database(database_url).connect("test") as connection:
        counts = connection.execute("select count(*), count(distinct series_id) from sample").fetchone()
    assert counts == (1200, 1200)


def test_errors_have_a_next_step(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases: list[tuple[psycopg.Error, type[Exception], str]] = [
        (psycopg.errors.DiskFull("x"), DatabaseFull, "free some"),
        (psycopg.errors.AdminShutdown("x"), DatabaseAway, "check that it runs"),
        (psycopg.errors.QueryCanceled("x"), DatabaseAway, "too busy"),
        (psycopg.errors.CheckViolation("x"), DataRefused, "please report"),
    ]
    for error, kind, text in cases:
        with pytest.raises(kind, match=text), translated():
            raise error
    monkeypatch.setattr(connections, "MIN_VERSION", 990_000)
    with pytest.raises(DatabaseTooOld, match="needs 15 or newer"):
        Database(database_url).connect("test")


def test_a_batch_is_known_under_whatever_time_it_came(database_url: str) -> None:
    """The ledger is divided by time, and still knows a key once: its own time counts, else the day, else any."""
    now = time.time()
    timed = uuid.UUID(otlp.batch_id()).bytes
    hashed = hashlib.sha256(b"body").digest()
    assert _time_of(timed, now) == _time_of(timed, now + 86_400) == int.from_bytes(timed[:6], "big") * 1000
    assert _time_of(timed, now + 10 * 86_400) // 1_000_000 % 86_400 == 0  # too old for its own time
    assert _time_of(hashed, 86_400 * 20_000 + 5) == 86_400 * 20_000 * 1_000_000
    batches = [
        Batch(timed, Signal.METRICS, ()),
        Batch(hashed, Signal.METRICS, ()),
        Batch(timed, Signal.PROFILES, ()),
    ]
    with Database(database_url).connect("test") as connection:
        migrate(connection)
        assert _enter_ledger(connection, [*batches, batches[0]]) == [True, True, True, False]
        connection.execute(
            "update ingest_batch set at = at - interval '1 day'"
        )  # as if it had come yesterday
        assert _enter_ledger(connection, batches) == [False, False, False]
        assert connection.execute("select count(*) from ingest_batch").fetchone() == (3,)


def test_readers_wait_for_each_other_and_broken_connections_are_replaced(database_url: str) -> None:
    database = Database(database_url)
    with database.lend() as first:
        pid = first.info.backend_pid

    def fail() -> None:
        with database.lend() as second:
            assert second.info.backend_pid == pid
            raise KeyError

    with pytest.raises(KeyError):  # a reader's own error costs no connection
        fail()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [pid])
    with database.lend() as third:
        assert third.info.backend_pid != pid
        assert third.execute("select 1").fetchone() == (1,)
    database.close()


def test_what_is_kept_in_memory_is_bounded_in_bytes(database_url: str) -> None:
    fleet = Fleet(database_url)
    fleet.container("a", flat(100))
    fleet.container("b", flat(100))
    kept = RecordingLoader(fleet.database, Analysis())
    kept.load("a")
    alone = kept.size
    kept.load("b")
    assert kept.size == 2 * alone > 0
    small = RecordingLoader(fleet.database, Analysis(max_cached_bytes=1))
    for scope in ("a", "b"):
        assert small.load(scope) is not None
        assert small.size == alone, "the one that was asked for last"
    fleet.close()
