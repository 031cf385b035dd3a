"""One profile, from what is observed to what is done: conditions, hysteresis, events, evictions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memwarden_api import names
from memwarden_api.report import Forecast
from memwarden_api.v1alpha1 import Condition, MemoryProfile, MemoryProfileStatus
from memwarden_operator.controller.breaker import Stop
from memwarden_operator.controller.observed import Collector, Missed, Observed, Scan
from memwarden_operator.controller.owners import Owned, Workload
from memwarden_operator.controller.pace import AT_ONCE, Pace
from memwarden_operator.controller.pods import Container, Pod, Reference
from memwarden_operator.controller.reconcile import WRITE_EVERY, Plan, reconcile
from memwarden_operator.controller.verdicts import Verdict

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
SHOP = Workload("shop", "Deployment", "web")
REFERENCE = Reference("apps/v1", "Deployment", "web", "uid-web")
NEW = Pace()
WROTE = NEW.wrote(NOW, WRITE_EVERY)
UP = Collector(True, NOW - timedelta(hours=1))


def profile(status: dict[str, Any] | None = None, **spec: Any) -> MemoryProfile:
    return MemoryProfile.from_cluster(
        {
            "metadata": {"name": "shop", "namespace": "shop", "uid": "p1", "generation": 3},
            "spec": spec,
            "status": status or {},
        }
    )


def pod(name: str, age: float = 600, owner: str = "ReplicaSet") -> Pod:
    return Pod(
        namespace="shop", name=name, uid=f"uid-{name}", profile="shop", version="v1",
        owner=Reference("apps/v1", owner, "web-1", "rs") if owner else None,
        created_at=NOW - timedelta(seconds=age), phase="Running", leaving=False, ready=True, ready_at=NOW,
        containers=(Container("app", "web:1", 0, True, "", "", None),),
    )  # fmt: skip


def verdict(said: Any = "Healthy", **given: Any) -> Verdict:
    return replace(
        Verdict(
            workload=SHOP, container="app", runtime="cpython 3.13.1", verdict=said, headline="Memory is steady",
            at_risk=False, confidence=0.9, since=None, growth_bytes_per_second=None, oom_forecast_seconds=None,
            leak="", site="", judged_at=NOW, containers=1, reported=frozenset({"uid-a", "uid-b"}),
        ),
        **given,
    )  # fmt: skip


LEAKING = verdict(
    "Leaking", headline="orders.py keeps every order", growth_bytes_per_second=1_400_000.0, leak="leak-1",
    site="/app/orders.py:31", since=NOW - timedelta(minutes=20),
    oom_forecast_seconds=Forecast(p10=900, p50=1500, p90=2400),
)  # fmt: skip


def observed(**given: Any) -> Observed:
    pods = given.pop("pods", (pod("a"), pod("b")))
    return replace(
        Observed(
            profile=profile(), pods=pods, owners={one.uid: Owned(SHOP, REFERENCE) for one in pods},
            verdicts=(verdict(),), scan=Scan(len(pods), len(pods), (), NOW, 3), collector=UP, reporting=len(pods),
            ever_reported=frozenset(one.uid for one in pods),
        ),
        **given,
    )  # fmt: skip


def conditions(plan: Plan) -> dict[str, Condition]:
    assert plan.status is not None, "nothing is written"
    return {one.type: one for one in plan.status.conditions}


def scan(matched: int, injected: int, *missed: Missed) -> Scan:
    return Scan(matched, injected, missed, NOW, 3)


UNLABELLED = Missed(
    "web-1-c", names.MISSED_NAMESPACE_NOT_LABELLED, "kubectl label namespace shop memwarden.dev/inject=true"
)

# (what is the case, what is observed, condition → status and reason)
CASES: tuple[tuple[str, Observed, dict[str, tuple[str, str]]], ...] = (
    (
        "all is well",
        observed(),
        {
            "Ready": ("True", names.REASON_WATCHING),
            "Reconciling": ("False", names.REASON_UP_TO_DATE),
            "Stalled": ("False", names.REASON_NO_OBSTACLE),
            "Injected": ("True", names.REASON_ALL_INJECTED),
            "Collecting": ("True", names.REASON_SIDECARS_REPORT),
            "LeakFree": ("True", names.REASON_NO_LEAK),
        },
    ),
    (
        "the pods have not been looked over",
        observed(scan=None),
        {"Ready": ("Unknown", names.REASON_LOOKING), "Reconciling": ("True", names.REASON_LOOKING)},
    ),
    (
        "the spec is newer than the last look",
        observed(scan=Scan(2, 2, (), NOW, 2)),
        {"Reconciling": ("True", names.REASON_LOOKING)},
    ),
    (
        "nothing matches",
        observed(pods=(), scan=scan(0, 0), verdicts=(), reporting=0),
        {
            "Ready": ("Unknown", names.REASON_NO_POD),
            "Injected": ("Unknown", names.REASON_NO_POD),
            "Collecting": ("Unknown", names.REASON_NONE_INJECTED),
            "LeakFree": ("Unknown", names.REASON_NOT_JUDGED),
        },
    ),
    (
        "the namespace is not labelled",
        observed(pods=(), scan=scan(1, 0, UNLABELLED), verdicts=(), reporting=0),
        {"Ready": ("False", names.REASON_PODS_MISSED), "Injected": ("False", names.REASON_PODS_MISSED)},
    ),
    (
        "one pod of three was missed",
        observed(scan=scan(3, 2, UNLABELLED)),
        {"Ready": ("True", names.REASON_WATCHING), "Injected": ("False", names.REASON_PODS_MISSED)},
    ),
    (
        "injection is off",
        observed(profile=profile(injection={"mode": "Off"})),
        {"Ready": ("True", names.REASON_WATCHING), "Injected": ("False", names.REASON_INJECTION_OFF)},
    ),
    (
        "the collector is away",
        observed(
            collector=Collector(False, NOW - timedelta(minutes=2), "connection refused"), reporting=None
        ),
        {
            "Ready": ("Unknown", names.REASON_COLLECTOR_AWAY),
            "Collecting": ("Unknown", names.REASON_COLLECTOR_AWAY),
            "LeakFree": ("Unknown", names.REASON_COLLECTOR_AWAY),
        },
    ),
    (
        "the pods are young",
        observed(pods=(pod("a", 30),), reporting=0, ever_reported=frozenset()),
        {"Ready": ("True", names.REASON_WATCHING), "Collecting": ("Unknown", names.REASON_SIDECARS_START)},
    ),
    (
        "no sidecar reaches the collector",
        observed(reporting=0, ever_reported=frozenset(), verdicts=(), denying=("deny-egress",)),
        {
            "Ready": ("False", names.REASON_NO_SIDECAR_REACHED),
            "Collecting": ("False", names.REASON_NO_SIDECAR_REACHED),
        },
    ),
    (
        "one of two is silent",
        observed(reporting=1),
        {"Collecting": ("False", names.REASON_SIDECARS_SILENT)},
    ),
    (
        "a leak",
        observed(verdicts=(LEAKING,)),
        {"Ready": ("True", names.REASON_WATCHING), "LeakFree": ("False", names.REASON_LEAKS_FOUND)},
    ),
    (
        "warming up",
        observed(verdicts=(verdict("WarmingUp"),)),
        {"LeakFree": ("Unknown", names.REASON_NOT_JUDGED)},
    ),
    (
        "a right is missing",
        observed(stalled=(names.REASON_RIGHT_MISSING, "can't list pods: grant the verb 'list'")),
        {"Ready": ("False", names.REASON_RIGHT_MISSING), "Stalled": ("True", names.REASON_RIGHT_MISSING)},
    ),
    (
        "the breaker stops a workload",
        observed(stops={SHOP: Stop(names.STOP_CRASHES, "pod web-1-a crashes", ())}),
        {
            "Ready": ("False", names.REASON_INJECTION_STOPPED),
            "Injected": ("False", names.REASON_INJECTION_STOPPED),
        },
    ),
)


@pytest.mark.parametrize(("seen", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_conditions_say_what_is_so(seen: Observed, expected: dict[str, tuple[str, str]]) -> None:
    said = conditions(reconcile(seen, NEW, NOW))
    assert set(said) == {"Ready", "Reconciling", "Stalled", "Injected", "Collecting", "LeakFree"}
    assert {kind: (said[kind].status, said[kind].reason) for kind in expected} == expected
    assert all(one.message and one.observed_generation == 3 for one in said.values())


def test_messages_say_the_next_step() -> None:
    unlabelled = conditions(reconcile(CASES[4][1], NEW, NOW))
    assert "kubectl label namespace shop memwarden.dev/inject=true" in unlabelled["Ready"].message
    unreached = next(case[1] for case in CASES if case[0].startswith("no sidecar"))
    text = conditions(reconcile(unreached, NEW, NOW))["Collecting"].message
    assert "deny-egress" in text
    assert "kind: NetworkPolicy" in text
    leak = conditions(reconcile(observed(verdicts=(LEAKING,)), NEW, NOW))["LeakFree"].message
    assert (
        leak
        == "Deployment/web container app, grows by 1.4 MB/s, likely at /app/orders.py:31, out of memory in about 25 min"
    )


def applied(seen: Observed, plan: Plan) -> Observed:
    """The next round, after what was planned stands in the cluster: through its JSON, as it comes back."""
    assert plan.status is not None
    written = plan.status.to_cluster()
    return replace(seen, profile=profile(written))


def test_what_stands_already_is_not_written() -> None:
    seen = observed(verdicts=(LEAKING,), scan=scan(3, 2, UNLABELLED))
    first = reconcile(seen, NEW, NOW)
    again = reconcile(applied(seen, first), WROTE, NOW + timedelta(hours=1))
    assert again.status is None
    assert again.events == ()


def test_the_transition_time_changes_with_the_status_alone() -> None:
    seen = observed(verdicts=(LEAKING,))
    first = reconcile(seen, NEW, NOW)
    later = replace(applied(seen, first), verdicts=(verdict(),))
    second = conditions(reconcile(later, WROTE, NOW + timedelta(minutes=5)))
    assert second["LeakFree"].last_transition_time == NOW + timedelta(minutes=5)
    assert second["Ready"].last_transition_time == NOW


def test_numbers_wait_until_thirty_seconds_are_over() -> None:
    seen = observed(verdicts=(LEAKING,))
    faster = replace(LEAKING, growth_bytes_per_second=2_800_000.0)
    later = replace(applied(seen, reconcile(seen, NEW, NOW)), verdicts=(faster,))
    early = reconcile(later, WROTE, NOW + timedelta(seconds=10))
    assert early.status is None
    assert early.events == ()
    assert early.again == timedelta(seconds=20)
    assert reconcile(later, WROTE, NOW + timedelta(seconds=30)).status is not None


def test_a_verdict_is_told_at_once_and_one_that_comes_and_goes_waits() -> None:
    pace, now, times = WROTE, NOW, 1
    seen = applied(observed(), reconcile(observed(), NEW, NOW))
    for change in range(100):
        now += timedelta(seconds=3)
        seen = replace(seen, verdicts=(verdict() if change % 2 else LEAKING,))
        plan = reconcile(seen, pace, now)
        if change + 1 < AT_ONCE:
            assert plan.status is not None
        elif plan.status is None and plan.again is not None:
            assert timedelta() < plan.again <= WRITE_EVERY
        if plan.status is not None:
            pace, seen, times = pace.wrote(now, WRITE_EVERY), applied(seen, plan), times + 1
    assert times <= AT_ONCE + (now - NOW) / WRITE_EVERY


@pytest.mark.parametrize(
    ("growth", "forecast", "written"),
    [(1_500_000.0, 1400.0, False), (1_400_000.0 * 1.5, 1500.0, True), (1_400_000.0, 700.0, True)],
    ids=["both moved by less than a fifth", "it grows half as fast again", "half of the time is over"],
)
def test_numbers_that_hardly_move_are_not_written(growth: float, forecast: float, written: bool) -> None:
    seen = observed(verdicts=(LEAKING,))
    moved = replace(
        LEAKING,
        growth_bytes_per_second=growth,
        oom_forecast_seconds=Forecast(p10=900, p50=forecast, p90=2400),
    )
    later = replace(applied(seen, reconcile(seen, NEW, NOW)), verdicts=(moved,))
    assert (reconcile(later, WROTE, NOW + timedelta(minutes=1)).status is not None) is written


def test_a_leak_is_told_on_its_workload_once() -> None:
    seen = observed(verdicts=(LEAKING,))
    first = reconcile(seen, NEW, NOW)
    assert [
        (one.reason, one.regarding.kind, one.regarding.name, one.regarding.uid) for one in first.events
    ] == [
        (names.EVENT_LEAK, "Deployment", "web", "uid-web"),
        (names.EVENT_OOM_FORECAST, "Deployment", "web", "uid-web"),
    ]
    assert "/app/orders.py:31" in first.events[0].note
    ended = replace(applied(seen, first), verdicts=(verdict(),))
    assert [one.reason for one in reconcile(ended, NEW, NOW).events] == [names.EVENT_LEAK_ENDED]


def test_a_missed_pod_is_told_once() -> None:
    seen = observed(scan=scan(4, 2, UNLABELLED, replace(UNLABELLED, pod="web-1-d")))
    first = reconcile(seen, NEW, NOW)
    assert [one.reason for one in first.events] == [names.EVENT_POD_MISSED] * 2
    assert "kubectl label" in first.events[0].note
    assert reconcile(applied(seen, first), NEW, NOW).events == ()


def test_stuck_pods_go_once_the_injector_knows() -> None:
    stuck = pod("stuck")
    seen = observed(stops={SHOP: Stop(names.STOP_IMAGE, "pod stuck has not started", (stuck,))})
    first = reconcile(seen, NEW, NOW)
    assert first.evictions == ()
    assert first.status is not None
    assert [one.workload for one in first.status.injection_stopped] == ["Deployment/web"]
    assert first.events[0].reason == names.EVENT_INJECTION_STOPPED
    assert reconcile(applied(seen, first), WROTE, NOW + timedelta(seconds=3)).evictions == ()
    assert reconcile(applied(seen, first), WROTE, NOW + timedelta(seconds=12)).evictions == (stuck,)


def test_a_bare_pod_is_never_evicted() -> None:
    bare = pod("bare", owner="")
    workload = Workload("shop", "Pod", "bare")
    seen = observed(pods=(bare,), stops={workload: Stop(names.STOP_IMAGE, "it has not started", (bare,))})
    later = reconcile(applied(seen, reconcile(seen, NEW, NOW)), WROTE, NOW + timedelta(minutes=1))
    assert later.evictions == ()
    assert [one.reason for one in later.events] == [names.EVENT_POD_STUCK]
    assert "kubectl replace" in later.events[0].note


def test_a_stop_that_the_user_removed_is_gone_unless_its_cause_is_there() -> None:
    stopped = {
        "injectionStopped": [
            {"workload": "Deployment/web", "reason": names.STOP_CRASHES, "since": "2026-11-21T18:00:00Z"}
        ]
    }
    kept = reconcile(observed(profile=profile(stopped)), NEW, NOW).status
    assert kept is not None
    assert len(kept.injection_stopped) == 1
    removed = reconcile(observed(profile=profile({})), NEW, NOW).status
    assert removed is not None
    assert removed.injection_stopped == ()


def test_lists_are_bounded_and_the_worst_is_first() -> None:
    many = tuple(
        verdict(workload=Workload("shop", "Deployment", f"web-{number:03}")) for number in range(150)
    )
    missed = tuple(Missed(f"pod-{number}", names.MISSED_NOT_SEEN, "x" * 2000) for number in range(500))
    status = reconcile(observed(verdicts=(*many, LEAKING), scan=scan(502, 2, *missed)), NEW, NOW).status
    assert status is not None
    assert status.workloads[0].verdict == "Leaking"
    assert (len(status.workloads), len(status.coverage.skipped)) == (100, 20)
    assert len(MemoryProfileStatus.from_cluster(status.to_cluster()).workloads) == 100
