"""Words of the API server, as ReplicaSets and Jobs repeat them in FailedCreate."""

import pytest

from memwarden_api import names
from memwarden_operator.controller.refusals import because_of_us

OURS = {
    "requests.memory": 48 * 2**20,
    "memory": 48 * 2**20,
    "limits.memory": 96 * 2**20,
    "requests.cpu": 0.01,
    "cpu": 0.01,
}

CASES = (
    (
        "the quota has room for the app, not for the sidecar",
        'Error creating: pods "shop-5d9-x" is forbidden: exceeded quota: memory, requested: requests.memory=176Mi, '
        "used: requests.memory=384Mi, limited: requests.memory=512Mi",
        names.STOP_QUOTA,
    ),
    (
        "the quota has no room for the app either",
        'Error creating: pods "shop-5d9-x" is forbidden: exceeded quota: memory, requested: requests.memory=176Mi, '
        "used: requests.memory=512Mi, limited: requests.memory=512Mi",
        None,
    ),
    (
        "two resources, one is too much without us",
        'Error creating: pods "x" is forbidden: exceeded quota: all, requested: limits.memory=224Mi,requests.cpu=1010m,'
        " used: limits.memory=0,requests.cpu=3500m, limited: limits.memory=1Gi,requests.cpu=4",
        None,
    ),
    (
        "the number of pods is full",
        'Error creating: pods "x" is forbidden: exceeded quota: count, requested: pods=1,'
        " used: pods=3, limited: pods=3",
        None,
    ),
    (
        "limits are asked for that our container lacks",
        'Error creating: pods "x" is forbidden: failed quota: cpu: must specify limits.cpu for: memwarden',
        names.STOP_REFUSED,
    ),
    (
        "limits are asked for that the app lacks",
        'Error creating: pods "x" is forbidden: failed quota: cpu: must specify limits.cpu for: app',
        None,
    ),
    (
        "Pod Security refuses our container",
        'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": unrestricted capabilities '
        '(container "memwarden-probes" must set securityContext.capabilities.drop=["ALL"])',
        names.STOP_REFUSED,
    ),
    (
        "an image named after the project is the app's business",
        'Error creating: pods "memwarden" is forbidden: image registry/memwarden-demo:1 is not allowed',
        None,
    ),
    ("something else", "Error creating: Internal error occurred: failed calling webhook", None),
)


@pytest.mark.parametrize(("note", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_only_what_is_ours_stops_injection(note: str, reason: str | None) -> None:
    found = because_of_us(note, OURS)
    assert (found[0] if found else None) == reason


def test_the_message_names_quota_and_resource() -> None:
    found = because_of_us(CASES[0][1], OURS)
    assert found is not None
    assert "quota memory" in found[1]
    assert "requests.memory" in found[1]
