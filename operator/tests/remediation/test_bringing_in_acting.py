"""What is read and done over HTTP where pods were missed, against a stand-in for API server and injector."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_operator.controller.observed import Scan
from memwarden_operator.remediation.bringing_in import SETTLES, TO_INJECT
from memwarden_operator.remediation.looking import LOOKED_AT
from remediation.cases import NOW, case, missed, profile
from remediation.controlled import DEPLOYMENT, Controlled, with_controller

TEMPLATE: dict[str, Any] = {"metadata": {}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}
WEB = DEPLOYMENT | {"spec": {"replicas": 3, "template": TEMPLATE}}
LATE = {"name": "late", "uid": "uid-late"}


def asking(missed_pods: str = "Rollout") -> MemoryProfile:
    return profile(missed_pods=missed_pods, mode="Recommend")


def lacking(controlled: Controlled, **about: Any) -> None:
    """One pod was missed, and its Deployment would be injected."""
    controlled.given = replace(case(shares=()), verdicts=())
    controlled.shop.deployment = WEB
    controlled.shop.pods = {"late": LATE | about}
    controlled.scan = Scan(4, 3, (replace(missed("older", age=900), uid="gone"), missed()), NOW, 1)


def test_it_is_one_annotation_of_the_template_that_begins_with_its_hash(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        lacking(controlled)
        of, said = await controlled.decide(asking())
        assert said.acts == (), "it is not done before it is written"
        of, said = await controlled.decide(of)
        assert said.acts == (), "the injector's watch may be behind"
        of, said = await controlled.decide(of, NOW + SETTLES)
        controlled.shop.there, controlled.shop.says = [of], 200
        (outcome,) = await controlled.remedies.act(controlled.known(of), said.acts)
        assert (outcome.result, outcome.reason) == ("Done", names.DECIDED_MISSED)
        assert "2 of them were not injected" in outcome.message
        ((method, path, body),) = controlled.shop.touched
        assert (method, path) == ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web")
        assert body["metadata"]["uid"] == "uid-web"
        (value,) = body["spec"]["template"]["metadata"]["annotations"].values()
        (entry,) = of.status.actions
        assert entry.pending is not None
        assert (entry.pending.id, entry.pending.action) == (value, TO_INJECT)

        # With that annotation it is the same template, and what is under way is not told of.
        template = TEMPLATE | {"metadata": {"annotations": {names.RESTARTED: value}}}
        spec = {"replicas": 3, "template": template}
        metadata = DEPLOYMENT["metadata"] | {"generation": 2}
        controlled.shop.deployment = WEB | {"spec": spec, "metadata": metadata}
        of, _ = await controlled.decide(of, NOW + SETTLES)
        assert [one.result for one in of.status.remediations] == ["Done"]
        controlled.shop.deployment |= {"metadata": DEPLOYMENT["metadata"]}
        controlled.given = replace(controlled.given, pods=())
        of, _ = await controlled.decide(of, NOW + SETTLES)
        assert [one.reason for one in of.status.remediations][1:] == [names.REFUSED_NO_HELP]

    with_controller(tmp_path, test)


def test_what_is_no_longer_so_since_the_scan_is_not_decided_on(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        for gone in ({"uid": "another"}, {"deletionTimestamp": "2026-11-22T19:59:00Z"}, None):
            lacking(controlled, **(gone or {}))
            if gone is None:
                controlled.shop.pods = {}
            _, said = await controlled.decide(asking())
            assert (said.decisions, said.actions) == ((), ()), gone
        lacking(controlled)
        assert controlled.scan is not None
        for scan in (None, replace(controlled.scan, generation=0)):
            controlled.scan = scan
            _, said = await controlled.decide(asking())
            assert (said.decisions, said.actions) == ((), ()), "by the spec before"

    with_controller(tmp_path, test)


def test_nothing_is_asked_of_the_cluster_where_they_are_only_reported(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        lacking(controlled)
        _, said = await controlled.decide(asking("Report"))
        assert (said.decisions, said.actions, controlled.shop.asked) == ((), (), [])
        assert controlled.scan is not None
        controlled.scan = replace(controlled.scan, missed=(replace(missed(), curable=False),))
        _, said = await controlled.decide(asking())
        assert (said.decisions, said.actions, controlled.shop.asked) == ((), (), [])

    with_controller(tmp_path, test)


def test_a_template_whose_pods_would_be_left_alone_is_told(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        lacking(controlled)
        labels = {"metadata": {"labels": {names.INJECT: "false"}}}
        controlled.shop.deployment = WEB | {"spec": {"replicas": 3, "template": TEMPLATE | labels}}
        _, said = await controlled.decide(asking())
        (told,) = said.decisions
        assert (told.action, told.reason) == (TO_INJECT, names.REFUSED_TEMPLATE)

    with_controller(tmp_path, test)


def test_of_hundreds_of_workloads_some_are_looked_at_in_a_round_and_all_in_their_turn(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        lacking(controlled)
        controlled.shop.deployment = WEB | {"status": DEPLOYMENT["status"] | {"readyReplicas": 1}}
        about = missed().workload
        assert about is not None
        of = [replace(missed(), workload=replace(about, name=f"web-{number:03}")) for number in range(120)]
        controlled.scan = Scan(120, 0, tuple(of), NOW, 1)
        controlled.given = replace(controlled.given, pods=())
        looked: set[str] = set()
        for more in (LOOKED_AT, LOOKED_AT, 20, LOOKED_AT):
            controlled.shop.asked.clear()
            _, said = await controlled.decide(asking())
            assert {one.reason for one in said.decisions} == {names.REFUSED_TOO_FEW}
            found = {path for path in controlled.shop.asked if "/deployments/" in path}
            assert len(found) == more
            looked |= found
        assert len(looked) == 120

    with_controller(tmp_path, test)


def test_a_workload_or_namespace_that_can_not_be_read_is_left_alone_and_told(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        for path in ("/api/v1/namespaces/shop", "/apis/apps/v1/namespaces/shop/deployments/web"):
            lacking(controlled)
            controlled.shop.refuses = path
            _, said = await controlled.decide(asking())
            (told,) = said.decisions
            assert (told.action, told.reason) == (TO_INJECT, names.REFUSED_UNKNOWN_STATE), path

    with_controller(tmp_path, test)
