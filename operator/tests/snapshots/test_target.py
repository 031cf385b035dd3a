"""Of which pod and container a HeapSnapshot is taken, or why of none: a table."""

from dataclasses import replace
from typing import Any

import pytest
from remediation.cases import WEB, pod, share, verdict

from memwarden_api import names
from memwarden_api.v1alpha1 import HeapSnapshotSpec
from memwarden_operator.controller.owners import Owned, Workload
from memwarden_operator.controller.pods import Container, Pod, Reference
from memwarden_operator.controller.verdicts import Verdict
from memwarden_operator.snapshots.target import NoTarget, Target, of_pod, of_workload

OLD, YOUNG, YOUNGEST = pod("old", age=9000), pod("young", age=600), pod("youngest", age=60)
PODS = (OLD, YOUNG, YOUNGEST)
OWNED = {one.uid: Owned(WEB, Reference("apps/v1", "Deployment", "web", "uid-web")) for one in PODS}
LEAKS = verdict(share("old"), share("young", said="Growing"), share("youngest", said="CacheFilling"))


def with_containers(*apps: str) -> Pod:
    return replace(OLD, containers=tuple(Container(app, "web:1", 0, True, "", "", None) for app in apps))


def spec(**given: Any) -> HeapSnapshotSpec:
    return HeapSnapshotSpec.model_validate({"pod": "old"} | given)


@pytest.mark.parametrize(
    ("name", "of", "given", "verdicts", "expected"),
    [
        ("its only container", OLD, {}, (), "app"),
        ("the one that is named", with_containers("app", "db"), {"container": "db"}, (), "db"),
        ("the one that grows", with_containers("db", "app"), {}, (LEAKS,), "app"),
        ("the one that was heard of", with_containers("db", "app"), {},
         (replace(verdict(), reported=frozenset((OLD.uid,))),), "app"),
        ("one of two", with_containers("app", "db"), {}, (), names.CAPTURE_CONTAINER_UNCLEAR),
        ("one that it does not have", OLD, {"container": "db"}, (), names.CAPTURE_NO_CONTAINER),
        ("it has ended", replace(OLD, phase="Failed"), {}, (), names.CAPTURE_NOT_RUNNING),
        ("it has not begun", replace(OLD, containers=(Container("app", "", 0, False, "", "", None),)), {}, (),
         names.CAPTURE_NOT_RUNNING),
    ],
)  # fmt: skip
def test_the_container(
    name: str, of: Pod, given: dict[str, Any], verdicts: tuple[Verdict, ...], expected: str
) -> None:
    found = of_pod(spec(**given), of, verdicts)
    assert (found.container if isinstance(found, Target) else found.reason) == expected, name


@pytest.mark.parametrize(
    ("name", "pods", "verdicts", "expected"),
    [
        ("the youngest that grows", PODS, (LEAKS,), "young"),
        ("none grows: the youngest", PODS, (verdict(),), "youngest"),
        ("the youngest that grows is on its way out", (OLD, replace(YOUNG, leaving=True), YOUNGEST), (LEAKS,), "old"),
        ("another workload's growth", PODS, (replace(LEAKS, workload=Workload("shop", "Deployment", "db")),),
         "youngest"),
        ("no pod", (), (LEAKS,), names.CAPTURE_NO_POD),
        ("none that runs", (replace(OLD, phase="Succeeded"),), (LEAKS,), names.CAPTURE_NO_POD),
    ],
)  # fmt: skip
def test_the_pod_of_a_workload(
    name: str, pods: tuple[Pod, ...], verdicts: tuple[Verdict, ...], expected: str
) -> None:
    found = of_workload(spec(), WEB, pods, OWNED, verdicts)
    assert (found.pod.name if isinstance(found, Target) else found.reason) == expected, name


def test_a_container_that_is_named_is_the_one_whose_growth_counts() -> None:
    other = replace(verdict(share("youngest")), container="db")
    pods = tuple(replace(one, containers=with_containers("app", "db").containers) for one in PODS)
    found = of_workload(spec(container="db"), WEB, pods, OWNED, (LEAKS, other))
    assert found == Target(pods[2], "db")


def test_a_pod_of_somebody_else_is_none_of_it() -> None:
    found = of_workload(spec(), WEB, PODS, {}, (LEAKS,))
    assert isinstance(found, NoTarget)
    assert "Deployment/web" in found.message
