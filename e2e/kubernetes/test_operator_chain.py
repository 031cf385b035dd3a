"""What the product is for, as a platform engineer does it: install, apply a MemoryProfile, and be told the line."""

import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from harness import line_of
from installation import NAMESPACE, PROFILE_API, Installation
from reader import Reader
from release import Release

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

MANIFESTS = Path(__file__).parent / "manifests"
LEAK, LEAKING_LINE = "sessions_kept", '{"id": number'
# The targets are 30 s and 5 min on a quiet machine; nothing is asserted on a busy one but that it comes.
REPORT_SECONDS, VERDICT_SECONDS = 300.0, 1200.0


def apply(namespace: "Namespace", manifest: str, **values: str) -> None:
    namespace.apply((MANIFESTS / f"{manifest}.yaml").read_text(), **values)


def the_pod(namespace: "Namespace", name: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        from cluster.testing.namespace import is_ready

        found = namespace.pods(f"app={name}")
        assert [is_ready(pod) for pod in found] == [True], [pod.get("status") for pod in found]
        return found[0]

    return eventually(f"the pod of {name}", look, REPORT_SECONDS)


def status(namespace: "Namespace") -> dict[str, Any]:
    return namespace.read("MemoryProfile", "shop", PROFILE_API).get("status") or {}


def workload(namespace: "Namespace", name: str) -> dict[str, Any]:
    found = [one for one in status(namespace).get("workloads", []) if one["name"] == name]
    assert found, status(namespace)
    return found[0]


def events(namespace: "Namespace", name: str) -> list[str]:
    listed = namespace.core.list_namespaced_event(
        namespace.name, field_selector=f"involvedObject.name={name}"
    )
    return [event.reason for event in listed.items]


def print_pieces(namespace: "Namespace", release: Release, applied: float, told: dict[str, float]) -> None:
    """Where the time went, in seconds from the apply on; times of the kubelet and of the status are whole seconds."""
    reader = Reader(namespace, release)
    (pod,) = namespace.pods("app=leaking")
    states = [*pod["status"]["initContainerStatuses"], *pod["status"]["containerStatuses"]]
    pieces = {f"{one['name']} had started": began_at(one["state"]) for one in states}
    (scope,) = [
        one["scope"]
        for one in reader.ask(f"/scopes?namespace={namespace.name}")
        if "/leaking-" in one["scope"]
    ]
    pieces["first sample"] = reader.moments(scope)[0]
    for entry in reader.judgements(scope):
        pieces.setdefault(f"judged {entry.verdict}, by the samples until then", entry.at)
    for what, moment in sorted({**pieces, **told}.items(), key=lambda piece: piece[1]):
        print(f"{moment - applied:7.1f} s  {what}")


def began_at(state: dict[str, Any]) -> float:
    began = next(iter(state.values()))["startedAt"]
    return datetime.fromisoformat(began).timestamp()


def test_every_part_answers_that_it_is_ready(installed: Installation) -> None:
    said = installed.test()
    assert "Succeeded" in said, said


def test_a_leaking_deployment_is_told_with_its_line_and_a_healthy_one_is_left_alone(
    watched: "Namespace", system: "Namespace", image: Callable[[str], str]
) -> None:
    apply(watched, "profile")
    label = ', memwarden.dev/inject: "true"'
    began = time.time()
    apply(watched, "app", name="leaking", program=LEAK, image=image("python-3.11"), more_labels=label)
    apply(watched, "app", name="healthy", program="batches", image=image("python-3.13"), more_labels="")

    # Injected: the one by its label, the other by the profile's selector in a labelled namespace.
    for name in ("leaking", "healthy"):
        pod = the_pod(watched, name)
        assert pod["metadata"]["labels"]["memwarden.dev/injected"] == "shop"
        assert [container["name"] for container in pod["spec"]["containers"]] == ["app"]
        assert "memwarden" in [container["name"] for container in pod["spec"]["initContainers"]]

    def reporting() -> bool:
        coverage = status(watched).get("coverage", {})
        assert {"matched": 2, "injected": 2, "reporting": 2}.items() <= coverage.items(), coverage
        return True

    eventually("both to report", reporting, REPORT_SECONDS)
    reported = time.time()

    def leaking() -> dict[str, Any]:
        told = workload(watched, "leaking")
        assert told["verdict"] == "Leaking", told
        return told

    told = eventually("the verdict", leaking, VERDICT_SECONDS)
    pieces = {"both report, says the status": reported, "Leaking, says the status": time.time()}
    print_pieces(watched, Release(system), began, pieces)
    assert (told["kind"], told["container"]) == ("Deployment", "app")
    assert told["site"].endswith(f"{LEAK}.py:{line_of(LEAK, LEAKING_LINE)}"), told
    assert told["growthBytesPerSecond"] > 0
    conditions = {condition["type"]: condition for condition in status(watched)["conditions"]}
    assert conditions["LeakFree"]["status"] == "False", conditions
    assert conditions["Ready"]["status"] == "True", conditions
    assert datetime.fromisoformat(conditions["LeakFree"]["lastTransitionTime"])
    eventually("the event", lambda: "MemoryLeakSuspected" in events(watched, "leaking"), REPORT_SECONDS)

    columns = subprocess.run(
        [*watched.cluster.kubectl, "--namespace", watched.name, "get", "memprof"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert columns[0].split() == ["NAME", "READY", "MATCHED", "REPORTING", "LEAKS", "NEXT", "OOM", "AGE"]
    assert columns[1].split()[:5] == ["shop", "True", "2", "2", "1"]

    healthy = workload(watched, "healthy")
    assert healthy["verdict"] != "Leaking", healthy
    assert "MemoryLeakSuspected" not in events(watched, "healthy")
    for name in ("leaking", "healthy"):
        pod = the_pod(watched, name)["status"]
        every = [*pod["containerStatuses"], *pod["initContainerStatuses"]]
        assert {container["restartCount"] for container in every} == {0}


def test_going_leaves_nothing_but_the_kinds(
    installed: Installation, watched: "Namespace", image: Callable[[str], str]
) -> None:
    apply(watched, "profile")
    apply(watched, "app", name="stays", program="batches", image=image("python-3.11"), more_labels="")
    before = the_pod(watched, "stays")

    installed.uninstall()

    # Nothing waits for a controller that is gone: profiles can be deleted, pods be made and be deleted.
    kubectl = [*watched.cluster.kubectl, "--namespace", watched.name]
    subprocess.run([*kubectl, "delete", "memprof", "shop", "--timeout=60s"], check=True)
    kinds = subprocess.run(
        [*kubectl, "api-resources", "--verbs=list", "--output=name"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    every = ",".join(kind for kind in kinds if "event" not in kind and "metrics" not in kind)
    ours = ["--all-namespaces", "--selector=app.kubernetes.io/instance=memwarden", "--output=name"]

    def gone() -> bool:
        left = subprocess.run([*kubectl, "get", every, *ours], capture_output=True, text=True, check=True)
        assert left.stdout == "", left.stdout
        return True

    eventually("the last pods to end", gone, REPORT_SECONDS)
    found = subprocess.run(
        [*kubectl, "get", "crd", "--output=name"], capture_output=True, text=True, check=True
    )
    assert "memoryprofiles.memwarden.dev" in found.stdout
    # The app was not touched, and its next pod is as its manifest says.
    assert the_pod(watched, "stays")["metadata"]["uid"] == before["metadata"]["uid"]
    subprocess.run([*kubectl, "rollout", "restart", "deployment", "stays"], check=True)
    subprocess.run([*kubectl, "rollout", "status", "deployment", "stays", "--timeout=300s"], check=True)
    after = the_pod(watched, "stays")
    assert "memwarden.dev/injected" not in after["metadata"]["labels"]
    assert "initContainers" not in after["spec"]
    assert NAMESPACE in [found.metadata.name for found in watched.core.list_namespace().items]
