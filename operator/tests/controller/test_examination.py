"""Why the injector would leave a whole pod alone, as the controller asks it."""

from typing import Any

import pytest

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_operator.controller.examination import examined
from memwarden_operator.controller.scan import as_injector_reads, sidecar_amounts
from memwarden_operator.injector.profile import Profile

SHOP = {"metadata": {"name": "shop", "namespace": "shop"}}


def profile(**spec: Any) -> Profile:
    return as_injector_reads(MemoryProfile.from_cluster({**SHOP, "spec": spec}))


def pod(labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "app", "image": "web:1", "resources": {}}]
    return {"metadata": {"name": "web", "labels": labels or {}}, "spec": {"containers": containers, **spec}}


def test_a_pod_that_would_be_changed_has_no_reason() -> None:
    assert examined(pod(), profile()) is None


def test_who_counts_has_been_decided_before() -> None:
    """Neither labels, nor a switch, nor a stop: the question is what of the pod is in the way."""
    other = profile(selector={"matchLabels": {"part": "other"}}, injection={"mode": "Off"})
    assert examined(pod({"part": "shop"}), other) is None


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"hostNetwork": True}, names.SKIP_HOST_NETWORK),
        ({"os": {"name": "windows"}}, names.SKIP_WINDOWS),
    ],
)
def test_what_is_in_the_way_is_what_the_injector_says(spec: dict[str, Any], reason: str) -> None:
    found = examined(pod(**spec), profile())
    assert found is not None
    assert found[0] == reason
    assert found[1]


def test_the_pod_that_was_read_is_left_as_it_is() -> None:
    read = pod()
    examined(read, profile())
    assert read == pod()


def test_what_the_sidecar_adds_is_named_as_quotas_name_it() -> None:
    sidecar = {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}}
    amounts = sidecar_amounts(
        MemoryProfile.from_cluster({**SHOP, "spec": {"injection": {"sidecar": sidecar}}})
    )
    assert amounts["cpu"] == amounts["requests.cpu"] == 0.05
    assert amounts["memory"] == amounts["requests.memory"] == 64 << 20
    assert amounts["limits.memory"] == 128 << 20
