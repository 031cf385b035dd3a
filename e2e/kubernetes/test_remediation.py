"""Remediation at a real API server with a kubelet, the real collector and its judge: what goes, what is left alone.

Controller and collector are processes beside the cluster; pods run and are ready, their memory is told to the collector
as sidecars would. The injector's readiness is a page of the test's own.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import drained_app
import pytest
from cluster.testing.waiting import eventually
from controller_process import Controller

from memwarden_api import names

sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "tests"))

from collector_processes import Collector
from leaking_pods import leak
from tcp_proxy import proxied

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

TO_THE_EVICTION = 120.0
"""The promise: from the verdict to the eviction."""
PATIENCE = 300.0
PROFILE = """
apiVersion: memwarden.dev/v1alpha1
kind: MemoryProfile
metadata: {name: shop}
spec:
  selector: {matchLabels: {part: shop}}
  sampling: {interval: 1s}
  remediation:
    mode: $mode
    action: $action
    limits: {maxPerHour: $hourly, cooldown: 10s, windows: $windows}
"""
WORKLOAD = """
apiVersion: apps/v1
kind: $kind
metadata: {name: $name}
spec:
  replicas: $replicas
  $more
  selector: {matchLabels: {app: $name}}
  template:
    metadata: {labels: {app: $name, part: shop, memwarden.dev/injected: shop}}
    spec:
      terminationGracePeriodSeconds: $grace
      containers: [{name: app, image: "$image", $container}]
"""
SLEEPS = 'command: [sleep, "100000"]'
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: $unavailable, selector: {matchLabels: {app: web}}}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: report}
spec:
  template:
    metadata: {labels: {app: report, part: shop, memwarden.dev/injected: shop}}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: app, image: "$image", command: [sleep, "100000"]}]
"""


class Injector:
    """Says whether it is ready."""

    def __init__(self) -> None:
        self.status = 200
        outer = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is told."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self._server.server_port}/readyz"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def injector() -> Iterator[Injector]:
    page = Injector()
    yield page
    page.stop()


@pytest.fixture
def start(
    tmp_path: Path, kubeconfig: Path, collector: Collector, injector: Injector, namespace: "Namespace"
) -> Iterator[Callable[..., Controller]]:
    """Starts a controller of this test's namespace; all end with the test, without a stack in their logs."""
    started: list[Controller] = []

    def begin(*options: str) -> Controller:
        place = tmp_path / f"controller-{len(started)}"
        place.mkdir()
        one = Controller(
            place, kubeconfig, collector.url, "--namespaces", namespace.name, "--remediation", "true",
            "--injector-url", injector.url, *options,
        )  # fmt: skip
        started.append(one)
        one.wait_ready()
        return one

    yield begin
    for one in started:
        one.stop()
        assert "Traceback" not in one.log.read_text(), one.log.read_text()


def profile(
    namespace: "Namespace", mode: str, *, windows: str = "[]", action: str = "Evict", hourly: int = 20
) -> None:
    namespace.apply(PROFILE, mode=mode, windows=windows, action=action, hourly=hourly)


def deploy(namespace: "Namespace", image: str, name: str, **given: object) -> None:
    usual = {"replicas": 2, "kind": "Deployment", "more": "", "container": SLEEPS, "grace": 0}
    namespace.apply(WORKLOAD, image=image, name=name, **usual | given)


def workload(
    namespace: "Namespace",
    image: str,
    name: str = "web",
    *,
    replicas: int = 3,
    kind: str = "Deployment",
    more: str = "",
    container: str = SLEEPS,
    grace: int = 0,
) -> list[dict[str, Any]]:
    """Its pods, once all are ready; by name."""
    deploy(namespace, image, name, replicas=replicas, kind=kind, more=more, container=container, grace=grace)
    return ready(namespace, name, replicas)


def ready(namespace: "Namespace", name: str, count: int) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]]:
        from cluster.testing.namespace import is_ready

        found = [one for one in namespace.pods(f"app={name}") if "deletionTimestamp" not in one["metadata"]]
        assert [is_ready(one) for one in found] == [True] * count, [one["metadata"]["name"] for one in found]
        return sorted(found, key=lambda one: one["metadata"]["name"])

    return eventually(f"{count} ready pods of {name}", look, PATIENCE)


def uids(pods: list[dict[str, Any]]) -> set[str]:
    return {one["metadata"]["uid"] for one in pods}


def status(namespace: "Namespace") -> dict[str, Any]:
    return namespace.read("MemoryProfile", "shop", names.API_VERSION).get("status") or {}


def decided(
    namespace: "Namespace", label: str, result: str, reason: str = names.DECIDED, seconds: float = PATIENCE
) -> dict[str, Any]:
    """The newest such decision on a workload, once there is one."""

    def look() -> dict[str, Any]:
        told = status(namespace)
        found = [one for one in told.get("remediations", ()) if one["workload"] == label]
        same = [one for one in found if (one["result"], one["reason"]) == (result, reason)]
        assert same, told
        return same[-1]

    return eventually(f"{label}: {result}, {reason}", look, seconds)


def acted(namespace: "Namespace", label: str) -> list[dict[str, Any]]:
    found = [one for one in status(namespace).get("actions", ()) if one["workload"] == label]
    return found[0].get("acted", []) if found else []


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
    profile(namespace, "Act")
    before = workload(namespace, image("python-3.11"), container=drained_app.CONTAINER, grace=60)
    namespace.apply(BUDGET, unavailable=1)
    start()
    with drained_app.Asking(namespace) as asking:
        leaking = before[1]
        for round_ in range(3):
            leak(collector, leaking, 6e8)

            def gone(uid: str = leaking["metadata"]["uid"]) -> bool:
                return uid not in uids(namespace.pods("app=web"))

            eventually("the pod that leaks to be evicted", gone, TO_THE_EVICTION if round_ == 0 else PATIENCE)
            decided(namespace, "Deployment/web", "Done")
            after = ready(namespace, "web", 3)
            (fresh,) = [one for one in after if one["metadata"]["uid"] not in uids(before)]
            before, leaking = after, fresh
        leak(collector, leaking, 6e8)
        told = decided(namespace, "Deployment/web", "Refused", names.REFUSED_BREAKER)
    assert f"kubectl rollout undo deployment/web -n {namespace.name}" in told["message"]
    (advice,) = status(namespace)["recommendations"]
    assert advice["kind"] == "RollBack"
    assert len(acted(namespace, "Deployment/web")) == 3
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
