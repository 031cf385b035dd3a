"""Our kinds at a real API server: what it takes, what it refuses and by which name, what it shows."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from memwarden_api import names
from memwarden_api.generate.kinds import KINDS, MEMORY_ALERT_POLICY, MEMORY_PROFILE, Kind

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from cluster.ways import Cluster

pytestmark = pytest.mark.cluster

FOLDER = Path(__file__).parents[2] / "crds" / "tests"
CONDITION = {"lastTransitionTime": "2026-11-21T12:00:00Z", "message": ""}


class Objects:
    """Those of one kind in a namespace, as kubectl makes them: unknown fields are refused."""

    def __init__(self, namespace: "Namespace", kind: Kind) -> None:
        from kubernetes import client

        self._kind = kind
        self._objects = client.CustomObjectsApi(namespace.api)
        self._where = (names.GROUP, names.VERSION, namespace.name, kind.plural)

    def create(self, spec: Any, *, dry_run: bool) -> dict[str, Any]:
        body = {"apiVersion": names.API_VERSION, "kind": self._kind.kind, "spec": spec}
        body["metadata"] = {"name": "shop"}
        trial = {"dry_run": "All"} if dry_run else {}
        return self._objects.create_namespaced_custom_object(
            *self._where, body=body, field_validation="Strict", **trial
        )

    def tell(self, status: dict[str, Any]) -> None:
        self._objects.patch_namespaced_custom_object_status(*self._where, "shop", {"status": status})


@pytest.mark.parametrize("which", KINDS, ids=lambda kind: kind.kind)
def test_what_the_models_take_and_refuse_the_api_server_takes_and_refuses(
    which: Kind, kind: None, namespace: "Namespace"
) -> None:
    from kubernetes.client.exceptions import ApiException

    cases = yaml.safe_load((FOLDER / f"{which.singular}_cases.yaml").read_text(encoding="utf-8"))
    objects = Objects(namespace, which)
    for case, spec in cases["valid"].items():
        made = objects.create(spec, dry_run=True)["spec"]
        # What the API server fills in is what the model fills in.
        assert which.spec.model_validate(made) == which.spec.model_validate(spec), case
    for case, wrong in cases["invalid"].items():
        with pytest.raises(ApiException) as refusal:
            pytest.fail(f"{case} is taken: {objects.create(wrong['spec'], dry_run=True)}")
        said = json.loads(refusal.value.body)["message"]
        assert refusal.value.status in (400, 422), (case, said)
        assert wrong["field"] in said, (case, said)
        assert wrong.get("refused", "") in said, (case, said)


def shown(cluster: "Cluster", namespace: "Namespace", what: str) -> tuple[list[str], list[str]]:
    """Columns and cells of the one object, by kubectl."""
    command = [*cluster.kubectl, "get", what, "--namespace", namespace.name]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    header, row = ([word.strip() for word in line.split("   ") if word.strip()] for line in text.splitlines())
    return header, row


def test_a_profile_s_defaults_are_filled_in_and_its_columns_tell_it_at_a_glance(
    kind: None, cluster: "Cluster", namespace: "Namespace"
) -> None:
    from memwarden_api.v1alpha1 import MemoryProfile, MemoryProfileSpec

    profiles = Objects(namespace, MEMORY_PROFILE)
    made = profiles.create({}, dry_run=False)
    assert MemoryProfile.from_cluster(made).spec == MemoryProfileSpec()
    assert made["spec"]["injection"]["sidecar"]["resources"]["limits"] == {"memory": "96Mi"}
    profiles.tell(
        {
            "conditions": [CONDITION | {"type": "Ready", "status": "True", "reason": "Watching"}],
            "coverage": {"matched": 3, "injected": 3, "reporting": 2},
            "leaks": 1,
            "nextOutOfMemory": "2026-11-21T15:00:00Z",
        }
    )
    columns, cells = shown(cluster, namespace, "memprof")
    assert columns == ["NAME", "READY", "MATCHED", "REPORTING", "LEAKS", "NEXT OOM", "AGE"]
    assert cells[:6] == ["shop", "True", "3", "2", "1", "2026-11-21T15:00:00Z"]


def test_an_alert_policy_s_columns_tell_whether_it_is_loaded(
    kind: None, cluster: "Cluster", namespace: "Namespace"
) -> None:
    policies = Objects(namespace, MEMORY_ALERT_POLICY)
    policies.create({"rules": [{"name": "leaks", "verdict": "Leaking"}]}, dry_run=False)
    said = (
        (names.CONDITION_RULES_ACCEPTED, "True", names.REASON_LOADED),
        (names.CONDITION_ROUTES_ACCEPTED, "False", names.REASON_NO_SUCH_RECEIVER),
    )
    policies.tell(
        {
            "accepted": "No",
            "conditions": [
                CONDITION | {"type": type_, "status": status, "reason": reason}
                for type_, status, reason in said
            ],
        }
    )
    columns, cells = shown(cluster, namespace, "memalert")
    assert columns == ["NAME", "ACCEPTED", "RULES", "ROUTES", "AGE"]
    assert cells[:4] == ["shop", "No", "Loaded", "NoSuchReceiver"]
