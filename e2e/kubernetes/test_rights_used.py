"""What the chart grants is what the release uses, by the API server's own account: no right too many, none too few."""

import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest
from cluster.local.files import AUDIT_LOG
from cluster.local.way import LocalCluster
from cluster.testing.waiting import eventually
from installation import INJECT, NAMESPACE, WAIT_SECONDS, profile
from release import Release

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

Right = tuple[str, str, str, str]
"""(account, group, resource or resource/subresource, verb)"""
USER = f"system:serviceaccount:{NAMESPACE}:"
NOT_HERE: frozenset[Right] = frozenset(
    (
        # So that the collector hears yes when it asks who may tell it of the cluster. Never used on the cluster.
        ("memwarden-controller", "memwarden.dev", "memoryprofiles/status", "update"),
        # Where a profile asks for remediation: none does here.
        ("memwarden-controller", "apps", "deployments", "get"),
        # Where there is a HeapSnapshot: none is made here.
        ("memwarden-controller", "memwarden.dev", "heapsnapshots", "delete"),
        ("memwarden-controller", "memwarden.dev", "heapsnapshots/status", "patch"),
    )
)
FOR_ALERTS: Final = ("memoryalertpolicies", "memoryalertpolicies/status", "configmaps")
"""And all of monitoring.coreos.com: no MemoryAlertPolicy is made here. Not compared."""

# One of each that makes the parts do what they seldom do. Labelled as injected by hand: nothing of it has to run.
OCCASIONS = """
# Made before the profile: read whole, and told.
apiVersion: v1
kind: Pod
metadata: {name: older, labels: {part-of: shop}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: app, image: $image, command: [sleep, "3600"], resources: {requests: {memory: 8Mi}}}]
---
# Runs and never reports: what stands in its way is looked for.
apiVersion: v1
kind: Pod
metadata: {name: silent, labels: {part-of: shop, memwarden.dev/injected: shop}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: app, image: $image, command: [sleep, "3600"], resources: {requests: {memory: 8Mi}}}]
---
# Has a name of ours: left alone by the injector, with an event. Does not start, because of us: sent away.
apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck}
spec:
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck, part-of: shop, memwarden.dev/injected: shop}}
    spec:
      initContainers: [{name: memwarden-probes, image: "no.such/probes:1", resources: {requests: {memory: 8Mi}}}]
      containers: [{name: app, image: $image, resources: {requests: {memory: 8Mi}}}]
---
# Its owner's owner is asked for.
apiVersion: batch/v1
kind: Job
metadata: {name: nightly}
spec:
  template:
    metadata: {labels: {part-of: shop, memwarden.dev/injected: shop}}
    spec:
      restartPolicy: Never
      containers: [{name: app, image: "no.such/image:1", resources: {requests: {memory: 8Mi}}}]
---
# No room for its pods with us.
apiVersion: v1
kind: ResourceQuota
metadata: {name: memory}
spec: {hard: {requests.memory: 100Mi}}
"""
NO_ROOM = """
apiVersion: apps/v1
kind: $kind
metadata: {name: no-room}
spec:
  selector: {matchLabels: {app: $kind}}
  template:
    metadata: {labels: {app: $kind, part-of: shop, memwarden.dev/injected: shop}}
    spec:
      containers:
        - {name: app, image: "no.such/image:1", resources: {requests: {memory: 96Mi}}}
        - {name: memwarden, image: "no.such/sidecar:1", resources: {requests: {memory: 48Mi}}}
"""


def granted(namespace: "Namespace") -> set[Right]:
    """By all bindings to the accounts of the release."""
    rbac = namespace.resources.resources
    found = set()
    for of_cluster in (True, False):
        prefix = "Cluster" if of_cluster else ""
        bindings = rbac.get(api_version="rbac.authorization.k8s.io/v1", kind=f"{prefix}RoleBinding")
        where = {} if of_cluster else {"namespace": NAMESPACE}
        for binding in bindings.get(**where).to_dict()["items"]:
            accounts = [
                one["name"] for one in binding.get("subjects") or () if one.get("namespace") == NAMESPACE
            ]
            if accounts:
                role = rbac.get(api_version="rbac.authorization.k8s.io/v1", kind=binding["roleRef"]["kind"])
                rules = role.get(name=binding["roleRef"]["name"], **where).to_dict()["rules"]
                found |= {
                    (account, group, resource, verb)
                    for account in accounts
                    for rule in rules
                    for group in rule["apiGroups"]
                    for resource in rule["resources"]
                    for verb in rule["verbs"]
                }
    return found


def requests(cluster: LocalCluster) -> list[dict[str, Any]]:
    """What the accounts of the release have asked the API server for since it is up."""
    lines = (cluster.node.logs / AUDIT_LOG.name).read_text().splitlines()
    whole = [line for line in lines if line.endswith("}")]  # the last one may be being written
    return [one for one in map(json.loads, whole) if one["user"]["username"].startswith(USER)]


def right(request: dict[str, Any]) -> Right:
    at = request["objectRef"]
    resource = "/".join(filter(None, (at["resource"], at.get("subresource"))))
    return request["user"]["username"].removeprefix(USER), at.get("apiGroup", ""), resource, request["verb"]


def is_for_alerts(one: Right) -> bool:
    _, group, resource, _ = one
    return group == "monitoring.coreos.com" or resource in FOR_ALERTS


def is_refused(status: dict[str, Any]) -> bool:
    """For want of a right: nothing new is taken in a namespace that is going, by the same number."""
    return status["code"] == 403 and "it is being terminated" not in status.get("message", "")


def told(namespace: "Namespace", reason: str) -> bool:
    return bool(namespace.core.list_namespaced_event(namespace.name, field_selector=f"reason={reason}").items)


def test_every_right_that_the_chart_grants_is_used_and_no_other_is_missed(
    cluster: "Cluster", namespace: "Namespace", system: "Namespace", image: Callable[[str], str]
) -> None:
    if not isinstance(cluster, LocalCluster):
        pytest.skip("only the API server of a local cluster is told to keep an account")
    Release(system).wait_ready("controller")
    namespace.apply(OCCASIONS, image=image("python-3.11"))
    namespace.wait("ResourceQuota", "memory", lambda one: (one.get("status") or {}).get("hard"))
    namespace.wait_ready("older", "silent")
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": {INJECT: "true"}}})
    profile(namespace, "shop", {"matchLabels": {"part-of": "shop"}})
    for kind in ("StatefulSet", "DaemonSet"):
        namespace.apply(NO_ROOM, kind=kind)
    namespace.wait("Pod", "silent", lambda _: told(namespace, "MemwardenPodMissed"), seconds=WAIT_SECONDS)
    # What it has told it knows from the status. Where that is lost it tells again: the event that is there counts up.
    with Release(system).away("controller"):
        lost = ["--type=merge", "--patch", '{"status": {"coverage": {"skipped": []}}}']
        patch = ["patch", "memprof", "shop", "--subresource=status", "--namespace", namespace.name, *lost]
        subprocess.run([*namespace.cluster.kubectl, *patch], check=True)
    Release(system).renew_certificates()

    def used() -> bool:
        seen = {right(one) for one in requests(cluster) if "objectRef" in one}
        unused = {one for one in granted(namespace) - seen - NOT_HERE if not is_for_alerts(one)}
        assert not unused, f"granted and never used: {sorted(unused)}"
        return True

    eventually("every right to be used", used, WAIT_SECONDS)
    refused = {right(one) for one in requests(cluster) if is_refused(one["responseStatus"])}
    assert not refused, f"asked for and not granted: {sorted(refused)}"
