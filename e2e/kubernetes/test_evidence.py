"""Evidence at a real API server: a HeapSnapshot from its making to its download, and one before each action.

Controller and collector are processes beside the cluster; what a pod's sidecar tells and does, the test does.
"""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from controller_process import Controller
from remediated import BUDGET, PATIENCE, acted, decided, profile, ready, status, uids, workload

from memwarden_api import names
from memwarden_core.recording_file import read_recording

sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "tests"))

from collector_processes import Collector
from leaking_pods import leak
from obeying_sidecars import obeying, sidecar_of

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from cluster.ways import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

SNAPSHOT = """
apiVersion: memwarden.dev/v1alpha1
kind: HeapSnapshot
metadata: {name: $name}
spec: $spec
"""


def snapshots(namespace: "Namespace") -> list[dict[str, Any]]:
    from kubernetes import client

    objects = client.CustomObjectsApi(namespace.api)
    where = (names.GROUP, names.VERSION, namespace.name, names.PLURAL_SNAPSHOT)
    items: list[dict[str, Any]] = objects.list_namespaced_custom_object(*where)["items"]
    return items


def comes_to(namespace: "Namespace", phase: str, reason: str = "") -> dict[str, Any]:
    """The only HeapSnapshot of the namespace, once it is there."""

    def look() -> dict[str, Any]:
        there = snapshots(namespace)
        assert len(there) == 1, there
        found = there[0]
        told: dict[str, Any] = found.get("status") or {}
        assert told.get("phase") == phase, found
        assert reason in ("", told["reason"]), found
        return found

    return eventually(f"a HeapSnapshot to be {phase}", look, PATIENCE)


def test_on_demand_it_is_taken_downloaded_and_can_not_be_changed(
    start: Callable[..., Controller],
    collector: Collector,
    cluster: "Cluster",
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Off")
    first, second = workload(namespace, image("python-3.11"), replicas=2)
    sidecars = [sidecar_of(collector, pod) for pod in (first, second)]
    start()
    with obeying(*sidecars):
        namespace.apply(SNAPSHOT, name="web", spec="{workload: {kind: Deployment, name: web}}")
        done = comes_to(namespace, "Done", names.CAPTURED)["status"]
    assert done["pod"] in {first["metadata"]["name"], second["metadata"]["name"]}
    content = collector.client.get(done["path"]).content
    assert len(content) == done["size"]
    assert read_recording(io.BytesIO(content)).profiles
    command = [*cluster.kubectl, "get", "heapsnap", "--namespace", namespace.name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.split()[:5] == ["NAME", "PHASE", "REASON", "POD", "SIZE"]
    assert done["pod"] in shown

    from kubernetes.client.exceptions import ApiException

    with pytest.raises(ApiException) as refusal:
        namespace.apply(SNAPSHOT, name="web", spec="{pod: other}")
    assert "make another one" in json.loads(refusal.value.body)["message"]

    namespace.apply(SNAPSHOT, name="none", spec="{pod: nobody}")

    def is_refused() -> bool:
        told = namespace.read("HeapSnapshot", "none", names.API_VERSION).get("status") or {}
        assert (told.get("phase"), told.get("reason")) == ("Refused", names.CAPTURE_POD_NOT_FOUND), told
        return True

    eventually("a pod that is not there to be told", is_refused, PATIENCE)


def test_evidence_comes_first_and_a_controller_that_is_killed_meanwhile_takes_none_twice(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act", evidence="Required")
    pods = workload(namespace, image("python-3.11"))
    namespace.apply(BUDGET, unavailable=0)
    first = start()
    leak(collector, pods[0], 6e8)
    taken = comes_to(namespace, "Capturing")
    assert taken["status"]["podUid"] == pods[0]["metadata"]["uid"]
    first.kill()  # while it is being taken
    with obeying(sidecar_of(collector, pods[0])):
        second = start()
        comes_to(namespace, "Done", names.CAPTURED)
    decided(namespace, "Deployment/web", "Blocked", names.REFUSED_DISRUPTION_BUDGET)
    second.kill()  # between evidence and eviction
    assert uids(ready(namespace, "web", 3)) == uids(pods)
    (entry,) = status(namespace)["actions"]
    assert entry["pending"]["pod"] == pods[0]["metadata"]["name"]
    namespace.apply(BUDGET, unavailable=1)
    start()
    told = decided(namespace, "Deployment/web", "Done")
    (snapshot,) = snapshots(namespace)
    assert told["evidence"] == {"snapshot": snapshot["metadata"]["name"], "path": snapshot["status"]["path"]}
    assert collector.client.get(told["evidence"]["path"]).status_code == 200
    assert uids(pods) - uids(ready(namespace, "web", 3)) == {pods[0]["metadata"]["uid"]}
    assert len(acted(namespace, "Deployment/web")) == 1


def test_without_evidence_nothing_is_touched_where_it_is_required_and_it_is_told(
    start: Callable[..., Controller],
    collector: Collector,
    namespace: "Namespace",
    image: Callable[[str], str],
) -> None:
    profile(namespace, "Act", evidence="Required")
    pods = workload(namespace, image("python-3.11"))
    start()
    leak(collector, pods[0], 6e8)  # and no sidecar that would obey
    told = decided(namespace, "Deployment/web", "Refused", names.REFUSED_EVIDENCE)
    assert comes_to(namespace, "Failed")["metadata"]["name"] == told["evidence"]["snapshot"]
    assert uids(ready(namespace, "web", 3)) == uids(pods)
    assert acted(namespace, "Deployment/web") == []
