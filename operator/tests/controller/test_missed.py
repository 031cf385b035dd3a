"""Which pods are meant and not injected, from their metadata alone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_operator.controller.missed import Namespace, look, never_seen
from memwarden_operator.controller.owners import Owned, Workload
from memwarden_operator.controller.pods import Reference
from memwarden_operator.injector.profile import Profile

MADE = "2026-11-21T20:00:00Z"


def profile(name: str = "shop", **spec: Any) -> Profile:
    document = {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}
    return Profile.of(MemoryProfile.from_cluster(document).to_cluster())


@dataclass(frozen=True)
class Case:
    name: str
    namespace_label: str | None
    follows: str
    """"missed" and a reason, "injected", "homeless" and a reason, "nothing"; a reason of "" needs the whole pod."""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    profile: Profile = field(default_factory=lambda: profile(selector={"matchLabels": {"part": "shop"}}))


SELECTED = {"part": "shop"}
CASES = (
    Case("injected", "true", "injected", SELECTED | {names.INJECTED: "shop"}),
    Case("selected in a labelled namespace", "true", "missed ", SELECTED),
    Case(
        "selected where the namespace says nothing",
        None,
        f"missed {names.MISSED_NAMESPACE_NOT_LABELLED}",
        SELECTED,
    ),
    Case(
        "annotated where the namespace says nothing",
        None,
        f"missed {names.MISSED_NAMESPACE_NOT_LABELLED}",
        SELECTED,
        {names.INJECT: "true"},
    ),
    Case(
        "labelled itself where the namespace says nothing", None, "missed ", SELECTED | {names.INJECT: "true"}
    ),
    Case(
        "asks, and no profile selects it",
        "true",
        f"homeless {names.SKIP_NO_PROFILE}",
        {},
        {names.INJECT: "true"},
    ),
    Case("not selected, not asked for", "true", "nothing", {"part": "other"}),
    Case("the pod says no", "true", "nothing", SELECTED, {names.INJECT: "false"}),
    Case("the namespace says no", "false", "nothing", SELECTED),
    Case(
        "an empty selector, and the namespace says nothing",
        None,
        "nothing",
        SELECTED,
        profile=profile(),
    ),
    Case("an empty selector in a labelled namespace", "true", "missed ", {}, profile=profile()),
    Case(
        "injection is off",
        "true",
        f"missed {names.SKIP_INJECTION_OFF}",
        SELECTED,
        profile=profile(selector={"matchLabels": SELECTED}, injection={"mode": "Off"}),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_pod_is_injected_missed_or_nobodys(case: Case) -> None:
    pod = {
        "metadata": {
            "name": "web-1", "uid": "u", "creationTimestamp": MADE,
            "labels": case.labels, "annotations": case.annotations,
        }
    }  # fmt: skip
    injected, meant, homeless = look([pod], Namespace("shop", case.namespace_label, (case.profile,)))
    found = ["injected"] if injected else []
    found += [f"missed {one.reason}" for one in meant] + [f"homeless {one.skip.reason}" for one in homeless]
    assert found == ([] if case.follows == "nothing" else [case.follows])


def test_pods_that_leave_do_not_count() -> None:
    leaving = {"metadata": {"name": "x", "deletionTimestamp": MADE, "labels": SELECTED}}
    assert look([leaving], Namespace("shop", "true", (CASES[0].profile,))) == ({}, [], [])


def test_the_command_is_that_of_the_owner() -> None:
    owned = Owned(Workload("shop", "StatefulSet", "db"), Reference("apps/v1", "StatefulSet", "db", "s"))
    older = Namespace("shop", "true", (), {"shop": datetime(2026, 11, 21, 21, tzinfo=UTC)})
    newer = Namespace("shop", "true", (), {"shop": datetime(2026, 11, 21, 19, tzinfo=UTC)})
    pod = {"metadata": {"creationTimestamp": MADE}}
    reason, message = never_seen(pod, "shop", older, owned)
    assert reason == names.MISSED_OLDER_THAN_PROFILE
    assert message.endswith("kubectl rollout restart statefulset/db -n shop")
    assert never_seen(pod, "shop", newer, owned)[0] == names.MISSED_NOT_SEEN
