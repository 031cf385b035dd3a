"""The test cluster refuses what a real one does: evictions, insecure pods, tokens that are not for us."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = pytest.mark.cluster

BUDGET = """
apiVersion: v1
kind: Pod
metadata: {name: needed, labels: {app: needed}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: sleep, image: $image, command: [sleep, "3600"]}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: needed}
spec: {minAvailable: 1, selector: {matchLabels: {app: needed}}}
"""

RESTRICTED = """
apiVersion: v1
kind: Pod
metadata: {name: modest}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: sleep
      image: $image
      command: [sleep, "3600"]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
"""

ROOT = """
apiVersion: v1
kind: Pod
metadata: {name: bold}
spec:
  containers: [{name: sleep, image: $image, command: [sleep, "3600"], securityContext: {privileged: true}}]
"""


def test_an_eviction_below_the_budget_is_refused_with_429(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    from kubernetes.client.exceptions import ApiException

    namespace.apply(BUDGET, image=image("python-3.11"))
    namespace.wait_ready("needed")
    namespace.wait(
        *("PodDisruptionBudget", "needed"),
        until=lambda budget: budget.get("status", {}).get("currentHealthy") == 1,
        api_version="policy/v1",
    )

    with pytest.raises(ApiException) as refused:
        namespace.core.create_namespaced_pod_eviction(
            "needed", namespace.name, {"metadata": {"name": "needed"}}
        )

    assert refused.value.status == 429
    assert "disruption budget" in refused.value.body


def test_a_namespace_with_the_level_restricted_admits_only_pods_that_keep_to_it(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    from kubernetes.client.exceptions import ApiException

    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": level}})

    with pytest.raises(ApiException) as refused:
        namespace.apply(ROOT, image=image("python-3.11"))
    assert refused.value.status == 403
    assert 'violates PodSecurity "restricted' in json.loads(refused.value.body)["message"]

    namespace.apply(RESTRICTED, image=image("python-3.11"))
    namespace.wait_ready("modest")


def test_a_token_passes_review_for_its_own_audience_and_for_no_other(namespace: "Namespace") -> None:
    from kubernetes import client

    asked = {"spec": {"audiences": ["memwarden"], "expirationSeconds": 600}}
    token = namespace.core.create_namespaced_service_account_token(
        "default", namespace.name, asked
    ).status.token
    reviews = client.AuthenticationV1Api(namespace.api)

    ours = reviews.create_token_review({"spec": {"token": token, "audiences": ["memwarden"]}}).status
    others = reviews.create_token_review({"spec": {"token": token, "audiences": ["someone-else"]}}).status

    assert ours.authenticated
    assert ours.audiences == ["memwarden"]
    assert ours.user.username == f"system:serviceaccount:{namespace.name}:default"
    assert not others.authenticated
