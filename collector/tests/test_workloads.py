"""What is said of workloads: whose containers they are, what replicas say together, leaks that come and go."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from fleets import MB, Fleet, flat, judgements, leak

from memwarden_collector.analysis.watch import Watch
from memwarden_collector.analysis.workloads import refresh
from memwarden_collector.settings import Analysis
from memwarden_collector.store import workloads
from memwarden_collector.store.connection import Database
from memwarden_collector.telemetry import Telemetry
from memwarden_core.settings import JudgeSettings

TICKS = 280


@pytest.fixture
def make(database_url: str) -> Iterator[Callable[..., Fleet]]:
    made: list[Fleet] = []

    def begin(**settings: Any) -> Fleet:
        made.append(Fleet(database_url, Analysis(**settings)))
        return made[-1]

    yield begin
    for fleet in made:
        fleet.close()


# ── Whose containers ─────────────────────────────────────────────────────────────────────────────────────
def test_replicas_of_one_deployment_are_one_workload_and_are_compared(make: Callable[..., Fleet]) -> None:
    fleet = make()
    fleet.container("a", leak(TICKS), version="v2")
    fleet.container("b", leak(TICKS, seed=2), version="v2")
    fleet.container("c", flat(TICKS), version="v1")
    fleet.tick()
    found = fleet.workload()
    assert (found.verdict, found.scope_count) == ("Leaking", 3)
    assert "the leak came with v2: all 2 replicas of it leak" in found.headline
    assert [one.verdict for one in found.scopes] == ["Leaking", "Leaking", "Healthy"]
    assert {one.pod for one in found.scopes} == {"pod-a", "pod-b", "pod-c"}
    assert found.growth_bytes_per_second == pytest.approx(MB, rel=0.1)
    assert found.usage_ratio == pytest.approx((100 + TICKS) * MB / 1e9, rel=0.05)
    assert found.oom_forecast_seconds is not None
    assert found.leak == "1"
    assert found.since is not None
    assert fleet.leaks() == [("growing", 0, "v2", "v2")]


def test_the_controllers_word_comes_late_and_counts(make: Callable[..., Fleet]) -> None:
    fleet = make()
    fleet.container("a", leak(TICKS), deployment="")
    fleet.tick()
    alone = "shop/Pod/pod-a/app"
    assert fleet.workload(alone).verdict == "Leaking"
    ((seen,),) = fleet.rows("select last from workload_change")
    fleet.rows(
        "insert into pod_owner (pod_uid, namespace, pod, kind, name, version)"
        " values ('uid-a', 'shop', 'pod-a', 'StatefulSet', 'db', 'h1') returning 1"
    )
    fleet.later(1)
    fleet.tick()
    found = fleet.workload("shop/StatefulSet/db/app")
    assert (found.verdict, found.version, found.scope_count) == ("Leaking", "h1", 1)
    assert found.leak == "1", "the leak goes along"
    assert fleet.workload(alone).scope_count == 0
    told = {document["workload"] for _, document in workloads.changes(fleet.connection, seen, None, 10)}
    assert told == {alone, "shop/StatefulSet/db/app"}
    page = workloads.page(fleet.connection, namespace=None, kind=None, after=0, count=10)
    assert [document["workload"] for _, document in page] == ["shop/StatefulSet/db/app"]

    fleet.rows("update pod_owner set name = 'db2', updated_at = now() returning 1")
    fleet.later(1)
    fleet.tick()
    assert fleet.workload("shop/StatefulSet/db2/app").scope_count == 1


def test_a_run_is_a_workload_of_its_own(make: Callable[..., Fleet]) -> None:
    fleet = make()
    fleet.container("run/1", flat(60))
    fleet.rows("update scope set kind = 'run' returning 1")
    fleet.tick()
    found = fleet.workload("run/1")
    assert (found.kind, found.namespace, found.name, found.verdict) == ("Run", "", "run/1", "Healthy")


# ── Leaks ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_leak_goes_through_restart_return_and_a_version_without_it(make: Callable[..., Fleet]) -> None:
    fleet = make(leak_clean_seconds=100)
    fleet.container("a", leak(TICKS), version="v1")
    fleet.tick()
    assert fleet.leaks() == [("growing", 0, "v1", "v1")]

    fleet.later(200)  # it is gone
    fleet.tick()
    assert fleet.leaks() == [("quiet", 0, "v1", "v1")]
    assert fleet.workload().leak is None
    assert fleet.workload().verdict == "Leaking", "what it ended with stands until another one lives"

    fleet.container("b", leak(TICKS, seed=3), version="v1")  # and is back
    fleet.tick()
    assert fleet.leaks()[0][:2] == ("growing", 1)
    assert fleet.workload().leak == "1"
    fleet.later(200)
    fleet.container("c", flat(TICKS, seed=4), version="v2")  # a deploy that mends it
    fleet.tick()
    fleet.later(6)
    fleet.send("c", flat(6, seed=5))
    fleet.tick()
    assert fleet.leaks() == [("closed", 1, "v1", "v1")]
    fleet.later(200)
    fleet.container("d", leak(TICKS, seed=5), version="v3")  # and one that brings it back
    fleet.tick()
    assert fleet.leaks()[0] == ("growing", 2, "v1", "v3")
    history = fleet.rows("select state, reason from leak_change order by at, ctid")
    assert [state for state, _ in history] == [
        "growing",
        "quiet",
        "growing",
        "quiet",
        "closed",
        "growing",
    ]
    assert history[4][1] == "version v2 runs without it"
    assert history[5][1] == "it is back after it was closed, now with version v3"


def test_a_leak_that_nobody_hears_of_is_closed_in_the_end(make: Callable[..., Fleet]) -> None:
    fleet = make(leak_close_seconds=3600)
    fleet.container("a", leak(TICKS))
    fleet.tick()
    fleet.later(200)
    fleet.tick()
    assert fleet.leaks()[0][0] == "quiet"
    fleet.rows("update leak set changed_at = changed_at - interval '1 hour' returning 1")
    fleet.later(70)
    fleet.tick()
    assert fleet.leaks()[0][0] == "closed"


# ── The job ──────────────────────────────────────────────────────────────────────────────────────────────
def test_who_takes_over_does_not_judge_anew(make: Callable[..., Fleet]) -> None:
    fleet = make()
    for number in range(5):
        fleet.container(f"{number}", leak(TICKS) if number == 0 else flat(TICKS, seed=number))
    fleet.tick()
    assert fleet.judgements() == 5
    telemetry = Telemetry()
    other = fleet.another(telemetry)
    assert not other.tick(), "the first one still has the job"
    fleet.analyst.release()
    assert other.tick()
    assert judgements(telemetry) == 0
    fleet.later(10)
    fleet.send("0", leak(TICKS + 10)[-10:])
    assert other.tick()
    assert judgements(telemetry) == 1
    assert fleet.workload().leak == "1"
    other.release()


def test_a_job_that_dies_between_a_judgement_and_its_workload_is_made_up_for(
    make: Callable[..., Fleet],
) -> None:
    fleet = make()
    fleet.container("a", leak(TICKS))
    fleet.tick()
    fleet.rows("update workload_scope set ended = true returning 1")  # what was committed last before the end
    fleet.analyst.release()
    other = fleet.another()
    assert other.tick()
    assert fleet.leaks()[0][0] == "quiet"
    other.release()


def test_of_many_the_screen_chooses_and_loses_no_leak(make: Callable[..., Fleet]) -> None:
    fleet = make(screen_above=5)
    for number in range(20):
        fleet.container(f"{number}", flat(TICKS, seed=number), deployment=f"d{number}")
    fleet.tick()
    assert fleet.judgements() == 20, "each one once"
    grown = leak(TICKS, seed=3, level=100 * MB)
    for step in range(0, TICKS, 20):
        fleet.later(20)
        for number in range(20):
            values = grown[step : step + 20] if number == 3 else flat(20, seed=100 * number + step)
            fleet.send(f"{number}", values)
        fleet.tick()
    found = fleet.workload("shop/Deployment/d3/app")
    assert found.verdict == "Leaking"
    others = fleet.judgements() - 20 - TICKS // 20
    assert others <= 20, "those that stay flat are hardly judged again"
    healthy = fleet.workload("shop/Deployment/d4/app")
    assert healthy.verdict == "Healthy"
    assert healthy.judged_at.timestamp() >= fleet.now - 130, "the screen has looked at it"


def test_late_samples_reach_the_screen(make: Callable[..., Fleet]) -> None:
    fleet = make(screen_above=0)
    values = leak(TICKS)
    fleet.container("a", values[-20:])
    fleet.tick()
    fleet.later(6)
    fleet.send("a", values[:-20], fleet.now - 26)  # a spool is replayed
    fleet.tick()
    fleet.later(6)
    fleet.send("a", leak(TICKS + 12)[-12:])
    fleet.tick()
    assert fleet.workload().verdict == "Leaking"


# ── Readers ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_reader_with_a_cursor_misses_nothing_while_several_write(make: Callable[..., Fleet]) -> None:
    fleet = make()
    for number in range(12):
        fleet.container(f"{number}", flat(60, seed=number), deployment=f"d{number}")
    fleet.tick()
    ids = [row[0] for row in fleet.rows("select workload_id from workload order by 1")]
    failures: list[BaseException] = []
    over = threading.Event()

    def write(seed: int) -> None:
        try:
            database = Database(fleet.url)
            with database.connect("writer") as connection:
                for turn in range(40):
                    mine = ids[(seed + turn) % 7 :: 3]
                    kind = ("Growing", "Healthy", "CacheFilling")[(seed + turn) % 3]
                    connection.execute(
                        "update workload_scope set kind = %s where workload_id = any(%s)", [kind, mine]
                    )
                    refresh(connection, mine, fleet.settings, JudgeSettings(), fleet.now)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=[seed]) for seed in range(4)]
    seen: dict[str, Any] = {}
    cursor, numbers = 0, []

    def read() -> None:
        nonlocal cursor
        with psycopg.connect(fleet.url, autocommit=True) as own:
            own.execute("set search_path = memwarden")
            while True:
                last = over.is_set()
                for number, document in workloads.changes(own, cursor, None, 5):
                    assert number > cursor
                    cursor = number
                    numbers.append(number)
                    seen[document["workload"]] = document
                if last and cursor == workloads.last_change(own):
                    return

    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join(60)
    assert not failures
    assert not reader.is_alive()
    assert len(numbers) > 12
    there = dict(fleet.rows("select name, document from workload_last join workload using (workload_id)"))
    assert seen == there


def test_the_history_goes_with_time(make: Callable[..., Fleet]) -> None:
    fleet = make()
    fleet.container("a", flat(60))
    fleet.tick()
    ((before, at),) = fleet.rows("select count(*), max(at) from workload_verdict")
    assert before == 1
    assert workloads.forget(fleet.connection, at, 100) == 0
    fleet.rows("update workload_verdict set at = at - interval '2 days' returning 1")
    assert workloads.forget(fleet.connection, at, 100) == 1


def test_what_could_not_be_read_is_read_the_next_time(make: Callable[..., Fleet]) -> None:
    fleet = make()
    fleet.container("a", leak(TICKS))
    fleet.tick()
    state = workloads.read_states(fleet.connection, [1])[0]
    watch, other = (Watch(fleet.settings, JudgeSettings()) for _ in range(2))
    for one in (watch, other):
        one.add(state, fleet.monotonic)
    with fleet.database.connect("hurried") as hurried, fleet.database.connect("locking") as locking:
        hurried.execute("set lock_timeout = '100ms'")
        for table in ("roll_mem_1h", "mem_sample"):
            with locking.transaction():
                locking.execute(f"lock table {table} in access exclusive mode".encode())
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    watch.look(hurried, ["a"])
        (found,), (wanted,) = watch.look(hurried, ["a"]), other.look(hurried, ["a"])
    assert wanted.suspect_seconds is not None
    assert found.suspect_seconds == wanted.suspect_seconds
