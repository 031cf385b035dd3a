"""What remediation reads and does over HTTP, against a stand-in for API server and injector.

The real ones are asked in e2e/kubernetes/test_remediation.py; here the API server can be made to say anything.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from memwarden_api import names
from memwarden_api.v1alpha1 import HeapSnapshot
from memwarden_kube.errors import Unauthorized
from memwarden_operator.remediation.decisions import settled
from memwarden_operator.snapshots.known import read
from remediation.cases import NOW, profile
from remediation.controlled import DEPLOYMENT, Controlled, with_controller


def test_what_the_api_server_says_to_an_eviction_is_what_is_told(tmp_path: Path) -> None:
    said = {
        201: ("Done", names.DECIDED),
        404: ("Done", names.DECIDED),  # it is gone, or another one of its name is there
        409: ("Done", names.DECIDED),
        429: ("Blocked", names.REFUSED_DISRUPTION_BUDGET),
        403: ("Failed", names.REFUSED_NO_RIGHT),
        422: ("Failed", names.REFUSED_BY_SERVER),
        500: ("Failed", names.REFUSED_BY_SERVER),
    }

    async def test(controlled: Controlled) -> None:
        for status, expected in said.items():
            controlled.shop.says = status
            (outcome,) = await controlled.act()
            assert (outcome.result, outcome.reason) == expected, status
            assert outcome.result == "Done" or "the words of the server" in outcome.message
        for method, path, body in controlled.shop.touched:
            assert (method, path) == ("POST", "/api/v1/namespaces/shop/pods/b/eviction")
            assert body["deleteOptions"]["preconditions"] == {"uid": "uid-b"}
        controlled.shop.says = 401
        with pytest.raises(Unauthorized):
            await controlled.act()

    with_controller(tmp_path, test)


def test_evidence_is_asked_for_by_a_snapshot_that_the_decision_names(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        for status in (201, 409):  # made, or there already
            controlled.shop.says = status
            assert await controlled.act(captureEvidence="Required") == [], "it is done in a later round"
        made, again = controlled.shop.touched
        assert made == again
        method, path, body = made
        assert (method, path) == ("POST", "/apis/memwarden.dev/v1alpha1/namespaces/shop/heapsnapshots")
        assert body["spec"]["workload"] == {"kind": "Deployment", "name": "web"}
        HeapSnapshot.from_cluster(body)

        # Once it is there, it is found by its name, and the pod goes.
        of, _ = await controlled.decide(profile(captureEvidence="Required"))
        about = body["metadata"] | {"uid": "s1", "creationTimestamp": "2026-11-22T10:00:00Z"}
        there = {"metadata": about, "spec": body["spec"], "status": {"phase": "Done", "path": "/somewhere"}}
        controlled.world.snapshots.put(read(there))
        of, said = await controlled.decide(of)
        controlled.shop.there, controlled.shop.says = [of], 201
        (outcome,) = await controlled.remedies.act(controlled.known(of), said.acts)
        assert outcome.result == "Done"
        (decision,) = settled(of, [outcome], NOW).remediations
        assert decision.evidence is not None
        assert (decision.evidence.snapshot, decision.evidence.path) == (about["name"], "/somewhere")

    with_controller(tmp_path, test)


def test_evidence_that_can_not_be_asked_for_is_told_or_done_without(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        for status in (403, 404, 422):
            controlled.shop.says = status
            (outcome,) = await controlled.act(captureEvidence="Required")
            assert (outcome.result, outcome.reason) == ("Refused", names.REFUSED_EVIDENCE)
            assert "the words of the server" in outcome.message
        controlled.shop.touched.clear()
        controlled.shop.says = 404  # the kind is not installed; the pod is gone
        (outcome,) = await controlled.act(captureEvidence="BestEffort")
        assert outcome.result == "Done"
        assert "without evidence: " in outcome.message
        assert [path.rpartition("/")[2] for _, path, _ in controlled.shop.touched] == [
            "heapsnapshots",
            "eviction",
        ]

    with_controller(tmp_path, test)


def test_a_restart_is_an_annotation_of_that_very_workload(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        for status, result in ((200, "Done"), (404, "Failed"), (409, "Failed"), (403, "Failed")):
            controlled.shop.says = status
            (outcome,) = await controlled.act(action="RolloutRestart")
            assert outcome.result == result, status
        for method, path, body in controlled.shop.touched:
            assert (method, path) == ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web")
            assert body["metadata"] == {"name": "web", "namespace": "shop", "uid": "uid-web"}
            (annotation,) = body["spec"]["template"]["metadata"]["annotations"]
            assert annotation == names.RESTARTED

    with_controller(tmp_path, test)


def test_only_what_is_pending_in_the_cluster_right_now_is_done(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        of, _ = await controlled.decide(profile())
        of, said = await controlled.decide(of)
        assert said.acts
        other = of.model_copy(update={"metadata": of.metadata.model_copy(update={"uid": "p2"})})
        off = of.model_copy(update={"spec": profile(mode="DryRun").spec})
        elsewhere = of.model_copy(update={"metadata": of.metadata.model_copy(update={"name": "other"})})
        for there in ([], [other], [off], [elsewhere], [profile()]):
            controlled.shop.there = there
            assert await controlled.remedies.act(controlled.known(of), said.acts) == []
        controlled.shop.there = [elsewhere, of]
        controlled.shop.injector = 503  # since it was asked for the decision
        assert await controlled.remedies.act(controlled.known(of), said.acts) == []
        _, refused = await controlled.decide(of)
        assert [one.reason for one in refused.decisions] == [names.REFUSED_INJECTOR]
        assert controlled.shop.touched == []
        controlled.shop.injector = 200
        assert len(await controlled.remedies.act(controlled.known(of), said.acts)) == 1

    with_controller(tmp_path, test)


def test_workload_injector_and_the_clusters_budget_are_looked_at(tmp_path: Path) -> None:
    async def reason(controlled: Controlled) -> str:
        _, said = await controlled.decide(profile())
        return said.decisions[-1].reason if said.decisions else ""

    async def test(controlled: Controlled) -> None:
        shop = controlled.shop
        assert await reason(controlled) == "", "it is about to be done"
        for wrong in ({"generation": 2}, {"uid": "another"}):
            shop.deployment = DEPLOYMENT | {"metadata": {**DEPLOYMENT["metadata"], **wrong}}
            expected = names.REFUSED_ROLLOUT if "generation" in wrong else names.REFUSED_UNKNOWN_STATE
            assert await reason(controlled) == expected
        shop.deployment = DEPLOYMENT
        spent, _ = await controlled.decide(profile())
        name = spent.metadata.model_copy(update={"name": "other"})
        controlled.known(spent.model_copy(update={"metadata": name}))
        assert await reason(controlled) == names.REFUSED_CLUSTER_BUDGET, (
            "another profile is about to spend it"
        )
        controlled.given = replace(controlled.given, verdicts=())
        assert await reason(controlled) == "", "nothing is asked for"

    with_controller(tmp_path, test, remediations_per_hour=1)

    async def unready(controlled: Controlled) -> None:
        controlled.shop.injector = 503
        assert await reason(controlled) == names.REFUSED_INJECTOR

    with_controller(tmp_path, unready)
    for url in ("", "http://127.0.0.1:9/readyz"):

        async def away(controlled: Controlled) -> None:
            assert await reason(controlled) == names.REFUSED_INJECTOR

        with_controller(tmp_path, away, injector_url=url)
