"""Pods that were made while the injector of a release was away come back injected by one rollout of their workload.

What forbids it, and what is not done twice: test_missed_pods.py.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from injected_pods import Pods, spec
from installation import WAIT_SECONDS
from release import Release
from remediated import PATIENCE, acted, decided, generation, ready, status, stop_injection, told_of, uids

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


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

    def all_injected() -> "list[dict[str, Any]]":
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
