"""`missedPods: Rollout`: pods that the injector missed come back by one rollout of their workload.

With a release by its chart, whose injector was away; and with a controller beside a cluster without any injector, where
whatever is restarted comes back as it was.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from controller_process import Controller
from injected_pods import Pods, spec
from installation import INJECT, WAIT_SECONDS, Installation
from release import Release
from remediated import JOB, PATIENCE, SLEEPS, WORKLOAD, acted, decided, ready, status, uids

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

PROFILE = """
apiVersion: memwarden.dev/v1alpha1
kind: MemoryProfile
metadata: {name: shop}
spec:
  selector: {matchLabels: {part: shop}}
  injection: {missedPods: Rollout}
  remediation: {limits: {cooldown: 10s, maxPerHour: 20}}
"""
MARK = ", memwarden.dev/injected: shop"
"""What pods in those templates have that are made as if they were injected."""


def stop_injection(namespace: "Namespace", *workloads: str) -> None:
    """As the circuit breaker does."""
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = [
        {"workload": one, "reason": names.STOP_CRASHES, "message": "of a test", "since": since}
        for one in workloads
    ]
    patch = json.dumps({"status": {"injectionStopped": entries}})
    kubectl = [*namespace.cluster.kubectl, "--namespace", namespace.name]
    words = ("patch", "memprof", "shop", "--subresource=status", "--type=merge", f"--patch={patch}")
    subprocess.run([*kubectl, *words], check=True)


def generation(namespace: "Namespace", kind: str, name: str) -> int:
    """How often its spec was written: 1 where nobody has touched it."""
    found: int = namespace.read(kind, name, "apps/v1")["metadata"]["generation"]
    return found


def told_of(namespace: "Namespace", label: str) -> list[tuple[str, str]]:
    found = status(namespace).get("remediations", ())
    return [(one["result"], one["reason"]) for one in found if one["workload"] == label]


def test_what_comes_back_without_it_is_not_restarted_again_and_what_must_not_be_not_at_all(
    start: Callable[..., Controller], namespace: "Namespace", image: Callable[[str], str]
) -> None:
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": {INJECT: "true"}}})
    python = image("python-3.11")
    namespace.apply(PROFILE)

    def make(name: str, replicas: int = 2, kind: str = "Deployment", more: str = "") -> list[dict[str, Any]]:
        given = {"image": python, "name": name, "replicas": replicas, "kind": kind, "more": more}
        namespace.apply(WORKLOAD.replace(MARK, ""), container=SLEEPS, grace=0, **given)
        return ready(namespace, name, replicas)

    web, alone, stopped = make("web"), make("alone", 1), make("stopped")
    by_hand = make("db", kind="StatefulSet", more="serviceName: db\n  updateStrategy: {type: OnDelete}")
    namespace.apply(JOB.replace(MARK, ""), image=python)
    stop_injection(namespace, "Deployment/stopped")

    running = start("--remediation", "false")
    decided(namespace, "Deployment/web", "Refused", names.REFUSED_NOT_SWITCHED_ON)
    assert running.stop() == 0
    assert generation(namespace, "Deployment", "web") == 1
    start()
    decided(namespace, "Deployment/web", "Done", names.DECIDED_MISSED)
    decided(namespace, "Deployment/alone", "Refused", names.REFUSED_TOO_FEW)
    decided(namespace, "StatefulSet/db", "Refused", names.REFUSED_STRATEGY)
    job = decided(namespace, "Job/report", "Refused", names.REFUSED_KIND)
    assert "let Job report make its pods anew" in job["message"]

    told = decided(namespace, "Deployment/web", "Refused", names.REFUSED_NO_HELP)
    assert f"kubectl rollout restart deployment/web -n {namespace.name}" in told["message"]
    assert not uids(web) & uids(ready(namespace, "web", 2)), "all were made anew"
    assert generation(namespace, "Deployment", "web") == 2, "once"
    assert len(acted(namespace, "Deployment/web")) == 1
    for name, before in (("alone", alone), ("stopped", stopped), ("db", by_hand)):
        assert uids(ready(namespace, name, len(before))) == uids(before), name
    assert told_of(namespace, "Deployment/stopped") == []


@pytest.fixture
def may_act(installed: Installation) -> Iterator[None]:
    """The release obeys what asks for restarts, as docs/guide/remediation.md has it switched on."""
    installed.install(rbac={"remediation": True})
    yield
    installed.install()


def test_a_deployment_made_while_the_injector_was_away_is_brought_in_once(
    may_act: None, watched: "Namespace", system: "Namespace", image: Callable[[str], str]
) -> None:
    rules = {"injection": {"missedPods": "Rollout"}, "remediation": {"limits": {"cooldown": "10s"}}}
    pods = Pods(watched, image("python-3.11"), **rules)
    pods.injectable()
    with Release(system).away("injector"):
        for name in ("web", "stopped"):
            pods.deploy(name, spec(pods.image), replicas=2)
        before = {name: ready(watched, name, 2) for name in ("web", "stopped")}
        assert not any(names.INJECTED in one["metadata"]["labels"] for one in before["web"])
        stop_injection(watched, "Deployment/stopped")

    decided(watched, "Deployment/web", "Done", names.DECIDED_MISSED)

    def all_injected() -> list[dict[str, Any]]:
        found = ready(watched, "web", 2)
        assert all(names.INJECTED in one["metadata"]["labels"] for one in found), found
        return found

    after = eventually("the pods of web to be injected", all_injected, PATIENCE)
    assert not uids(before["web"]) & uids(after)

    def looked_again() -> bool:
        """The pods of web are counted, and of the others it is said why they are not."""
        coverage = status(watched).get("coverage") or {}
        skipped = {one["pod"]: one["reason"] for one in coverage.get("skipped", ())}
        assert skipped == {
            one["metadata"]["name"]: names.SKIP_INJECTION_STOPPED for one in before["stopped"]
        }, coverage
        assert (coverage["matched"], coverage["injected"], coverage["reporting"]) == (4, 2, 2), coverage
        return True

    eventually("a look at the pods after it", looked_again, WAIT_SECONDS)
    assert [result for result, _ in told_of(watched, "Deployment/web")][-1] == "Done", "no second round"
    assert generation(watched, "Deployment", "web") == 2
    assert len(acted(watched, "Deployment/web")) == 1
    assert uids(ready(watched, "web", 2)) == uids(after)
    assert generation(watched, "Deployment", "stopped") == 1
    assert uids(ready(watched, "stopped", 2)) == uids(before["stopped"])
    assert told_of(watched, "Deployment/stopped") == []
    assert is_told_on(watched, "web")


def is_told_on(namespace: "Namespace", name: str) -> bool:
    """An event of that very Deployment, where `kubectl describe` finds it."""
    resource = namespace.resources.resources.get(api_version="events.k8s.io/v1", kind="Event")
    found = resource.get(
        namespace=namespace.name, field_selector=f"reason={names.EVENT_REMEDIATION}"
    ).to_dict()
    about = namespace.read("Deployment", name, "apps/v1")["metadata"]
    return about["uid"] in {one["regarding"].get("uid") for one in found["items"]}
