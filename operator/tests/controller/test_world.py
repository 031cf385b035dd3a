"""What the controller knows: of the collector, of verdicts, and whose they are."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from memwarden_api import names
from memwarden_api.workloads import Workload as Told
from memwarden_kube.objects import Object, Resource
from memwarden_operator.controller.observed import Scan
from memwarden_operator.controller.owners import Owners, Workload
from memwarden_operator.controller.pods import Pod, Reference
from memwarden_operator.controller.profiles import Known, read
from memwarden_operator.controller.verdicts import Verdict, Verdicts, trimmed
from memwarden_operator.controller.world import AWAY_AFTER, REMEMBERED, World

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEAKS = {"verdict": "Leaking", "confidence": 0.97, "growth_bytes_per_second": 5.0, "usage_ratio": None}
SCOPE = {**LEAKS, "version": "", "oom_forecast_seconds": None, "first_seen": NOW, "last_sample_at": NOW}
TOLD = Told.model_validate(
    {
        **LEAKS, "workload": "shop/Deployment/web/app", "namespace": "shop", "kind": "Deployment", "name": "web",
        "container": "app", "runtime": "cpython 3.13.1", "reason": "", "headline": "it grows", "at_risk": True,
        "since": NOW, "oom_forecast_seconds": None, "leak": "leak-1", "cause": "", "judged_at": NOW, "version": "",
        "site": {"file": "/app/orders.py", "line": 31, "function": "keep"}, "scope_count": 2,
        "scopes": [
            {**SCOPE, "scope": "s-a", "pod": "a", "pod_uid": "uid-a"},
            {**SCOPE, "scope": "s-b", "pod": "b", "pod_uid": ""},
        ],
    }
)  # fmt: skip


async def nobody(resource: Resource, namespace: str, name: str) -> Object:
    raise AssertionError(f"{resource.plural}/{name} is asked for")


def world() -> World:
    return World(Owners(nobody))


def known(name: str = "shop", status: Any = None) -> Known:
    metadata = {
        "name": name, "namespace": "shop", "uid": f"p-{name}", "generation": 1, "resourceVersion": "1",
        "creationTimestamp": "2026-11-21T19:00:00Z",
    }  # fmt: skip
    document = {"apiVersion": names.API_VERSION, "kind": names.KIND_PROFILE, "metadata": metadata, "spec": {}}
    return read({**document, "status": status or {}})


def pod(name: str, profile: str = "shop") -> Pod:
    # Of an operator that nobody knows: the direct owner is on top, and nobody has to be asked.
    owner = Reference("example.com/v1", "Shop", name, f"s-{name}")
    return Pod(
        namespace="shop", name=name, uid=f"uid-{name}", profile=profile, version="", owner=owner, created_at=NOW,
        phase="Running", leaving=False, ready=True, ready_at=NOW, containers=(),
    )  # fmt: skip


def verdict(name: str, kind: str = "Shop", **given: Any) -> Verdict:
    plain = Verdict(
        workload=Workload("shop", kind, name), container="app", runtime="", verdict="Healthy", headline="",
        at_risk=False, confidence=0.9, since=None, growth_bytes_per_second=None, oom_forecast_seconds=None,
        leak="", site="", judged_at=NOW, containers=1, reported=frozenset(),
    )  # fmt: skip
    return replace(plain, **given)


def names_of(found: World, about: Known) -> set[str]:
    return {one.workload.name for one in found.observed(about, {}, NOW).verdicts}


# ── The collector ──────────────────────────────────────────────────────────────────────────────────────
def test_a_collector_that_was_never_asked_does_not_answer() -> None:
    assert world().collector(NOW).answers is False


def test_a_collector_that_is_made_anew_is_not_away() -> None:
    seen = world()
    assert seen.collector_answered(NOW)
    seen.collector_failed("connection refused", NOW + SECOND)
    assert seen.collector(NOW + AWAY_AFTER).answers is True
    told = seen.collector(NOW + SECOND + AWAY_AFTER)
    assert (told.answers, told.since, told.cause) == (False, NOW + SECOND, "connection refused")


def test_soon_after_the_start_the_collector_is_neither_there_nor_away() -> None:
    seen = world()
    assert not seen.collector_is_known(NOW)
    seen.collector_failed("no address yet", NOW)
    assert not seen.collector_is_known(NOW + SECOND)
    assert seen.collector_is_known(NOW + AWAY_AFTER)
    seen.collector_answered(NOW + AWAY_AFTER + SECOND)
    assert seen.collector_is_known(NOW + AWAY_AFTER + SECOND)


def test_the_first_cause_stands_and_being_back_is_told_once() -> None:
    seen = world()
    seen.collector_failed("first", NOW)
    seen.collector_failed("second", NOW + SECOND)
    assert seen.collector(NOW + AWAY_AFTER).cause == "first"
    back = NOW + AWAY_AFTER + SECOND
    assert [seen.collector_answered(back), seen.collector_answered(back + SECOND)] == [True, False]
    assert seen.collector(back + SECOND).since == back


# ── Whose a verdict is ─────────────────────────────────────────────────────────────────────────────────
def test_a_verdict_is_that_profiles_whose_pods_live() -> None:
    seen = world()
    for one in (pod("web"), pod("queue", profile="other")):
        seen.pods.put(one)
        asyncio.run(seen.owners.of(one.namespace, one.name, one.uid, one.owner))
    for name in ("web", "queue", "stranger"):
        seen.verdicts.put(verdict(name))
    assert names_of(seen, known()) == {"web"}
    assert names_of(seen, known("other")) == {"queue"}


def test_a_workload_without_pods_keeps_its_profile_by_what_was_seen_or_by_the_status() -> None:
    seen = world()
    seen.verdicts.put(verdict("nightly", kind="CronJob"))
    assert names_of(seen, known()) == set()
    said = {
        "kind": "CronJob", "name": "nightly", "container": "app", "verdict": "Healthy", "confidence": 0.9,
        "headline": "x", "judgedAt": "2026-11-21T19:00:00Z",
    }  # fmt: skip
    about = known(status={"workloads": [said]})
    assert len(about.profile.status.workloads) == 1
    assert names_of(seen, about) == {"nightly"}
    # What was seen counts before what an earlier controller wrote.
    seen.belongs(Workload("shop", "CronJob", "nightly"), "other")
    assert names_of(seen, about) == set()
    assert names_of(seen, known("other")) == {"nightly"}


def test_a_workload_of_which_nothing_lives_and_nothing_leaks_is_not_told() -> None:
    seen = world()
    workload = Workload("shop", "CronJob", "nightly")
    seen.belongs(workload, "shop")
    seen.verdicts.put(verdict("nightly", kind="CronJob", containers=0))
    assert names_of(seen, known()) == set()
    seen.verdicts.put(verdict("nightly", kind="CronJob", containers=0, leak="leak-1"))
    assert names_of(seen, known()) == {"nightly"}


def test_what_is_remembered_beyond_its_pods_is_bounded() -> None:
    seen = world()
    first, second = (Workload("shop", "CronJob", name) for name in ("first", "second"))
    seen.belongs(first, "shop")
    seen.belongs(second, "shop")
    seen.belongs(first, "shop")  # of the two, it was seen last
    for number in range(REMEMBERED - 1):
        seen.belongs(Workload("shop", "Job", str(number)), "shop")
    assert (seen.profile_of(first), seen.profile_of(second)) == ("shop", None)


# ── One profile ────────────────────────────────────────────────────────────────────────────────────────
def test_how_many_report_is_unknown_until_the_namespace_was_asked_about() -> None:
    seen = world()
    assert seen.observed(known(), {}, NOW).reporting is None
    seen.reporting["shop"] = {"other": 3}
    assert seen.observed(known(), {}, NOW).reporting == 0
    assert seen.observed(known("other"), {}, NOW).reporting == 3


def test_a_right_that_lacks_stalls_every_profile_and_each_part_is_named() -> None:
    seen = world()
    seen.scans["shop", "shop"] = Scan(0, 0, (), NOW, 1)
    assert seen.observed(known(), {}, NOW).stalled is None
    seen.troubles |= {"scan": "can't list pods", "pods": "can't watch pods"}
    assert seen.observed(known(), {}, NOW).stalled == (
        names.REASON_RIGHT_MISSING, "can't watch pods; can't list pods",
    )  # fmt: skip


# ── Verdicts ───────────────────────────────────────────────────────────────────────────────────────────
def test_a_verdict_keeps_what_is_asked_of_it() -> None:
    found = trimmed(TOLD)
    assert found.workload == Workload("shop", "Deployment", "web")
    assert (found.site, found.leak, found.containers) == ("/app/orders.py:31", "leak-1", 2)
    assert found.reported == {"uid-a"}  # of the other it is not known which pod it is
    assert trimmed(TOLD.model_copy(update={"site": None, "leak": None})).site == ""


def test_verdicts_are_bounded_and_a_known_one_is_still_replaced() -> None:
    kept = Verdicts(limit=2)
    for name in ("a", "b", "c"):
        kept.put(verdict(name))
    kept.put(verdict("a", confidence=0.1))
    assert (len(kept), kept.left_out) == (2, 1)
    assert {one.workload.name: one.confidence for one in kept.of("shop")} == {"a": 0.1, "b": 0.9}
    kept.clear()
    assert (len(kept), list(kept.of("shop"))) == (0, [])
