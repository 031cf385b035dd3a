"""The kind MemoryProfile at a real API server: what it takes, what it refuses and by which name, what it shows."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from cluster.ways import Cluster

pytestmark = pytest.mark.cluster

CASES = yaml.safe_load(
    (Path(__file__).parents[2] / "crds/tests/memoryprofile_cases.yaml").read_text(encoding="utf-8")
)


class Profiles:
    """MemoryProfiles of a namespace, as kubectl makes them: unknown fields are refused."""

    def __init__(self, namespace: "Namespace") -> None:
        from kubernetes import client

        self._objects = client.CustomObjectsApi(namespace.api)
        self._where = (names.GROUP, names.VERSION, namespace.name, names.PLURAL_PROFILE)

    def create(self, spec: Any, *, dry_run: bool) -> dict[str, Any]:
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND_PROFILE, "spec": spec}
        body["metadata"] = {"name": "shop"}
        trial = {"dry_run": "All"} if dry_run else {}
        return self._objects.create_namespaced_custom_object(
            *self._where, body=body, field_validation="Strict", **trial
        )

    def tell(self, status: dict[str, Any]) -> None:
        self._objects.patch_namespaced_custom_object_status(*self._where, "shop", {"status": status})


def test_what_the_models_take_and_refuse_the_api_server_takes_and_refuses(
    kind: None, namespace: "Namespace"
) -> None:
    from kubernetes.client.exceptions import ApiException

    profiles = Profiles(namespace)
    for case, spec in CASES["valid"].items():
        made = profiles.create(spec, dry_run=True)
        assert made["spec"]["sampling"]["interval"], case
    for case, wrong in CASES["invalid"].items():
        print(case)  # shown where it was taken
        with pytest.raises(ApiException) as refusal:
            profiles.create(wrong["spec"], dry_run=True)
        said = json.loads(refusal.value.body)["message"]
        assert refusal.value.status in (400, 422), (case, said)
        assert wrong["field"] in said, (case, said)
        assert wrong.get("refused", "") in said, (case, said)


def test_defaults_are_filled_in_and_the_columns_tell_it_at_a_glance(
    kind: None, cluster: "Cluster", namespace: "Namespace"
) -> None:
    from memwarden_api.v1alpha1 import MemoryProfile, MemoryProfileSpec

    profiles = Profiles(namespace)
    made = profiles.create({}, dry_run=False)
    # What the API server fills in is what the model fills in.
    assert MemoryProfile.from_cluster(made).spec == MemoryProfileSpec()
    assert made["spec"]["injection"]["sidecar"]["resources"]["limits"] == {"memory": "96Mi"}

    condition = {"type": "Ready", "status": "True", "reason": "Watching", "message": "All 3 pods report"}
    profiles.tell(
        {
            "conditions": [condition | {"lastTransitionTime": "2026-11-21T12:00:00Z"}],
            "coverage": {"matched": 3, "injected": 3, "reporting": 2},
            "leaks": 1,
            "nextOutOfMemory": "2026-11-21T15:00:00Z",
        }
    )
    command = [*cluster.kubectl, "get", "memprof", "--namespace", namespace.name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    header, row = (line.split("   ") for line in shown.strip().splitlines())
    columns = [word.strip() for word in header if word.strip()]
    assert columns == ["NAME", "READY", "MATCHED", "REPORTING", "LEAKS", "NEXT OOM", "AGE"]
    cells = [word.strip() for word in row if word.strip()]
    assert cells[:6] == ["shop", "True", "3", "2", "1", "2026-11-21T15:00:00Z"]
