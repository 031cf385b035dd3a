"""`missedPods: Rollout` beside a cluster without an injector: whatever is restarted comes back as it was.

Where pods do come back injected: test_missed_pods_installed.py.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from controller_process import Controller
from installation import INJECT
from remediated import JOB, SLEEPS, WORKLOAD, acted, decided, generation, ready, stop_injection, told_of, uids

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
