"""Remediation at a real API server with a kubelet, the real collector and its judge: what goes, what is left alone.

Controller and collector are processes beside the cluster; pods run and are ready, their memory is told to the collector
as sidecars would. The injector's readiness is a page of the test's own.
Most ask for no evidence: see test_evidence.py.
"""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import drained_app
import pytest
from cluster.testing.waiting import eventually
from controller_process import Controller
from remediated import (
    BUDGET,
    JOB,
    PATIENCE,
    Injector,
    acted,
    decided,
    deploy,
    profile,
    ready,
    status,
    uids,
    workload,
)

from memwarden_api import names

sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "tests"))

from collector_processes import Collector
from leaking_pods import leak
from obeying_sidecars import obeying, sidecar_of
from tcp_proxy import proxied

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

COOLDOWN = timedelta(seconds=10)
TO_THE_EVICTION = 120.0
"""The promise: from the verdict to the eviction."""


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "DryRun")
    first, second, third = pods = workload(namespace, image("python-3.11"))
    for level, pod in ((1e8, first), (6e8, second), (3e8, third)):
        leak(collector, pod, level)
    start()
    told = decided(namespace, "Deployment/web", "WouldDo")
    assert told["pod"] == second["metadata"]["name"], "the one nearest to its limit"
    (advice,) = status(namespace)["recommendations"]
    assert advice["kind"] == "Restart"
    assert advice["bytesAtStake"] > 1e8
    assert f"kubectl rollout restart deployment/web -n {namespace.name}" in advice["message"]
    assert acted(namespace, "Deployment/web")[0]["dryRun"] is True
    assert uids(ready(namespace, "web", 3)) == uids(pods)


def test_it_acts_until_the_leak_has_come_back_too_often_and_then_advises_the_version_before(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act", evidence="Required")
    before = workload(namespace, image("python-3.11"), container=drained_app.CONTAINER, grace=60)
    namespace.apply(BUDGET, unavailable=1)
    start()
    with drained_app.Asking(namespace) as asking:
        leaking = before[1]
        for round_ in range(3):
            leak(collector, leaking, 6e8)

            def gone(uid: str = leaking["metadata"]["uid"]) -> bool:
                return uid not in uids(namespace.pods("app=web"))

            with obeying(sidecar_of(collector, leaking)):
                eventually(
                    "the pod that leaks to be evicted", gone, TO_THE_EVICTION if round_ == 0 else PATIENCE
                )
            assert decided(namespace, "Deployment/web", "Done")["evidence"]["path"], "evidence comes first"
            after = ready(namespace, "web", 3)
            (fresh,) = [one for one in after if one["metadata"]["uid"] not in uids(before)]
            before, leaking = after, fresh
        leak(collector, leaking, 6e8)
        told = decided(namespace, "Deployment/web", "Refused", names.REFUSED_BREAKER)
    assert f"kubectl rollout undo deployment/web -n {namespace.name}" in told["message"]
    (advice,) = status(namespace)["recommendations"]
    assert advice["kind"] == "RollBack"
    times = [datetime.fromisoformat(one["time"]) for one in acted(namespace, "Deployment/web")]
    assert len(times) == 3
    decided_at = [datetime.fromisoformat(one["decided"]) for one in acted(namespace, "Deployment/web")]
    kept = [later - earlier for earlier, later in zip(times, decided_at[1:], strict=False)]
    assert min(kept) >= COOLDOWN, kept
    assert uids(ready(namespace, "web", 3)) == uids(before), "nothing was touched any more"
    assert asking.answered > 100
    assert asking.failed == [], "no request failed"


def test_what_is_left_alone_is_told_with_its_reason(
    start: Callable[..., Controller],
    collector: Collector,
    injector: Injector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act")
    python = image("python-3.11")
    alone = workload(namespace, python, "alone", replicas=1)
    stuck = workload(namespace, python, "stuck", replicas=2)
    deploy(namespace, "no.such/image:1", "stuck")
    namespace.apply(JOB, image=python)
    jobs = ready(namespace, "report", 1)
    web = workload(namespace, python, replicas=2)
    for pod in (*alone, *stuck, *jobs):
        leak(collector, pod)
    running = start()
    decided(namespace, "Deployment/alone", "Refused", names.REFUSED_TOO_FEW)
    decided(namespace, "Deployment/stuck", "Refused", names.REFUSED_ROLLOUT)
    decided(namespace, "Job/report", "Refused", names.REFUSED_KIND)

    injector.status = 503
    for pod in web:
        leak(collector, pod)
    decided(namespace, "Deployment/web", "Refused", names.REFUSED_INJECTOR)
    profile(namespace, "Act", windows='[{days: [Mon], start: "00:00", end: "00:01"}]')
    injector.status = 200
    decided(namespace, "Deployment/web", "Refused", names.REFUSED_WINDOW)
    assert running.stop() == 0
    profile(namespace, "Act")
    running = start("--remediations-per-hour", "0")
    decided(namespace, "Deployment/web", "Refused", names.REFUSED_CLUSTER_BUDGET)
    assert running.stop() == 0
    start("--remediation", "false")
    decided(namespace, "Deployment/web", "Refused", names.REFUSED_NOT_SWITCHED_ON)
    assert uids(ready(namespace, "web", 2)) == uids(web)
    assert uids(namespace.pods("app=alone")) == uids(alone)


def test_a_spent_budget_old_data_and_a_collector_that_is_away_are_told(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act", hourly=1)
    old = workload(namespace, image("python-3.11"), "old", replicas=2)
    web = workload(namespace, image("python-3.11"))
    leak(collector, old[0], ago=400)
    leak(collector, web[0])
    behind = urlsplit(collector.url)
    with proxied(behind.hostname or "", behind.port or 0) as proxy:
        start("--collector-url", f"http://127.0.0.1:{proxy.port}")
        decided(namespace, "Deployment/old", "Refused", names.REFUSED_STALE)
        decided(namespace, "Deployment/web", "Done")
        left = ready(namespace, "web", 3)
        leak(collector, next(one for one in left if one["metadata"]["uid"] in uids(web)))
        decided(namespace, "Deployment/web", "Refused", names.REFUSED_BUDGET)
        proxy.cut()
        decided(namespace, "Deployment/web", "Refused", names.REFUSED_COLLECTOR)
        assert uids(ready(namespace, "web", 3)) == uids(left)
        assert uids(ready(namespace, "old", 2)) == uids(old)


def test_what_a_budget_keeps_is_done_once_when_it_lets_whoever_comes_then(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act")
    before = workload(namespace, image("python-3.11"))
    namespace.apply(BUDGET, unavailable=0)
    first = start()
    leak(collector, before[0])
    decided(namespace, "Deployment/web", "Blocked", names.REFUSED_DISRUPTION_BUDGET)
    first.kill()  # between the decision and what was to be done
    (entry,) = status(namespace)["actions"]
    assert entry["pending"]["pod"] == before[0]["metadata"]["name"]
    namespace.apply(BUDGET, unavailable=1)
    start()
    start()  # two of them, by mistake
    decided(namespace, "Deployment/web", "Done")
    after = ready(namespace, "web", 3)
    assert uids(before) - uids(after) == {before[0]["metadata"]["uid"]}
    assert len(acted(namespace, "Deployment/web")) == 1


def test_two_controllers_by_mistake_send_one_pod_away(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act")
    before = workload(namespace, image("python-3.11"))
    start()
    start()
    leak(collector, before[2])
    decided(namespace, "Deployment/web", "Done")
    after = ready(namespace, "web", 3)
    assert uids(before) - uids(after) == {before[2]["metadata"]["uid"]}
    assert len(acted(namespace, "Deployment/web")) == 1


def test_a_stateful_set_goes_by_its_numbers_one_at_a_time(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act")
    pods = workload(
        namespace, image("python-3.11"), "db", replicas=2, kind="StatefulSet", more="serviceName: db"
    )
    leak(collector, pods[0], 6e8)
    leak(collector, pods[1], 1e8)
    start()

    def both_were() -> bool:
        assert len(acted(namespace, "StatefulSet/db")) == 2, status(namespace)
        return True

    eventually("both to be done", both_were, PATIENCE)
    order = [one["pod"] for one in status(namespace)["remediations"] if one["result"] == "Done"]
    assert order == ["db-1", "db-0"]
    assert not uids(pods) & uids(ready(namespace, "db", 2))


def test_a_rollout_restart_makes_all_pods_anew_by_the_workloads_own_strategy(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act", action="RolloutRestart")
    pods = workload(namespace, image("python-3.11"), replicas=2)
    start()
    leak(collector, pods[0])
    decided(namespace, "Deployment/web", "Done")

    def all_anew() -> bool:
        return not uids(pods) & uids(ready(namespace, "web", 2))

    eventually("all pods to be others", all_anew, PATIENCE)
    template = namespace.read("Deployment", "web", "apps/v1")["spec"]["template"]
    assert template["metadata"]["annotations"][names.RESTARTED]
    assert template["spec"]["containers"][0]["command"] == ["sleep", "100000"]
    assert len(acted(namespace, "Deployment/web")) == 1
