"""What the chart grants is what the release uses, by the API server's own account: no right too many, none too few.

First with the values as they are, then with all that grant more: remediation, alerts of both forms, kubelets.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cluster.local.files import AUDIT_LOG
from cluster.local.way import LocalCluster
from cluster.testing.waiting import eventually
from installation import INJECT, NAMESPACE, WAIT_SECONDS, Installation, profile
from leaking_pods import leak_to
from prometheus_kinds import prometheus_kinds
from release import Release
from remediated import decided, ready

from memwarden_api import names

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

BEGAN: Final = datetime.now(UTC)
Right = tuple[str, str, str, str]
"""(account, group, resource or resource/subresource, verb)"""
USER = f"system:serviceaccount:{NAMESPACE}:"
NEVER: Final[frozenset[Right]] = frozenset(
    # So that the collector hears yes when it asks who may tell it of the cluster. Never used on the cluster.
    {("memwarden-controller", "memwarden.dev", "memoryprofiles/status", "update")}
)
LATER: Final[frozenset[Right]] = NEVER | {
    ("memwarden-controller", group, resource, verb)
    for group, resource, verbs in (
        # Where a profile asks for remediation, or there is a HeapSnapshot.
        ("apps", "deployments", "get"),
        ("memwarden.dev", "heapsnapshots", "delete"),
        ("memwarden.dev", "heapsnapshots/status", "patch"),
        # Where there is a MemoryAlertPolicy.
        ("memwarden.dev", "memoryalertpolicies/status", "patch"),
        ("monitoring.coreos.com", "prometheusrules", "create get patch"),
        ("monitoring.coreos.com", "alertmanagerconfigs", "create delete get patch"),
        ("monitoring.coreos.com", "prometheuses", "list"),
        ("monitoring.coreos.com", "alertmanagers", "list"),
    )
    for verb in verbs.split()
}
"""Used with every value."""
EVERY_VALUE: Final = {
    "rbac": {"remediation": True, "snapshots": True},
    "alerts": {"rules": True, "configMaps": True},
    "collector": {"kubelets": {"enabled": True, "intervalSeconds": 5}},
}
RESTARTED: Final = ("Deployment", "StatefulSet", "DaemonSet")
# They come to leak, and are restarted. Nobody injects them: the namespace is no longer open.
TO_RESTART = """
apiVersion: apps/v1
kind: $kind
metadata: {name: leaks}
spec:
  selector: {matchLabels: {app: leaks-$kind}}
  template:
    metadata: {labels: {app: leaks-$kind, part-of: shop, memwarden.dev/injected: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: app, image: $image, command: [sleep, "3600"]}]
"""
NO_HEADROOM: Final = 7.56e8
"""A level from which it comes so near to its limit that a histogram is refused at once, and not waited for."""
ACT: Final = {
    "mode": "Act",
    "action": "RolloutRestart",
    "captureEvidence": "BestEffort",
    "limits": {"minimumReadyReplicas": 1},
}
POLICY = """
apiVersion: memwarden.dev/v1alpha1
kind: MemoryAlertPolicy
metadata: {name: shop}
spec:
  rules: [{name: leaks, verdict: Leaking}]
  receivers: [$receivers]
"""
RECEIVER: Final = "{name: team, webhook: {url: 'http://localhost/'}}"

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


def rights(request: dict[str, Any]) -> set[Right]:
    """What is applied and was not there takes the right to create besides: the account doesn't name it."""
    asked = right(request)
    made = request["verb"] == "patch" and request["responseStatus"]["code"] == 201
    return {asked, (*asked[:3], "create")} if made else {asked}


def is_refused(request: dict[str, Any]) -> bool:
    """For want of a right: nothing new is taken in a namespace that is going, by the same number. In this session: when
    the one before has ended rights were taken away from parts that still ran.
    """
    status, at = request["responseStatus"], datetime.fromisoformat(request["requestReceivedTimestamp"])
    return status["code"] == 403 and "it is being terminated" not in status.get("message", "") and at > BEGAN


def told(namespace: "Namespace", reason: str) -> bool:
    return bool(namespace.core.list_namespaced_event(namespace.name, field_selector=f"reason={reason}").items)


def all_is_used(cluster: LocalCluster, namespace: "Namespace", but: frozenset[Right]) -> None:
    """Of what is granted, and nothing else was asked for."""

    def used() -> bool:
        seen = {one for request in requests(cluster) if "objectRef" in request for one in rights(request)}
        unused = granted(namespace) - seen - but
        assert not unused, f"granted and never used: {sorted(unused)}"
        return True

    eventually("every right to be used", used, WAIT_SECONDS)
    refused = {right(one) for one in requests(cluster) if is_refused(one)}
    assert not refused, f"asked for and not granted: {sorted(refused)}"


def kubectl(namespace: "Namespace", *words: str) -> None:
    subprocess.run([*namespace.cluster.kubectl, "--namespace", namespace.name, *words], check=True)


def patch_status(namespace: "Namespace", kind: str, name: str, **status: Any) -> None:
    patch = json.dumps({"status": status})
    kubectl(namespace, "patch", kind, name, "--subresource=status", "--type=merge", f"--patch={patch}")


@pytest.fixture
def local(cluster: "Cluster") -> LocalCluster:
    if not isinstance(cluster, LocalCluster):
        pytest.skip("only the API server of a local cluster is told to keep an account")
    return cluster


@pytest.fixture
def release_as_it_was(installed: Installation) -> Iterator[Installation]:
    yield installed
    installed.install()


def test_every_right_that_the_chart_grants_is_used_and_no_other_is_missed(
    local: LocalCluster,
    namespace: "Namespace",
    system: "Namespace",
    release_as_it_was: Installation,
    prometheus_operator: Path,
    image: Callable[[str], str],
) -> None:
    with_the_values_as_they_are(namespace, Release(system), image("python-3.11"))
    all_is_used(local, namespace, LATER)

    release_as_it_was.install(**EVERY_VALUE)
    kubectl(namespace, "delete", "resourcequota", "memory")
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": {INJECT: None}}})
    remediate(namespace, Release(system), image("python-3.11"))
    end_the_snapshots(namespace)
    become_alerts(local, namespace, prometheus_operator)
    all_is_used(local, namespace, NEVER)


def with_the_values_as_they_are(namespace: "Namespace", release: Release, image: str) -> None:
    release.wait_ready("controller")
    namespace.apply(OCCASIONS, image=image)
    namespace.wait("ResourceQuota", "memory", lambda one: (one.get("status") or {}).get("hard"))
    namespace.wait_ready("older", "silent")
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": {INJECT: "true"}}})
    profile(namespace, "shop", {"matchLabels": {"part-of": "shop"}})
    for kind in ("StatefulSet", "DaemonSet"):
        namespace.apply(NO_ROOM, kind=kind)
    namespace.wait("Pod", "silent", lambda _: told(namespace, "MemwardenPodMissed"), seconds=WAIT_SECONDS)
    # What it has told it knows from the status. Where that is lost it tells again: the event that is there counts up.
    with release.away("controller"):
        patch_status(namespace, "memprof", "shop", coverage={"skipped": []})
    release.renew_certificates()


def remediate(namespace: "Namespace", release: Release, image: str) -> None:
    """Of each kind that can be restarted one comes to leak, and is."""
    for kind in RESTARTED:
        namespace.apply(TO_RESTART, kind=kind, image=image)
    pods = {kind: ready(namespace, f"leaks-{kind}", 1) for kind in RESTARTED}
    act = json.dumps({"spec": {"remediation": ACT}})
    kubectl(namespace, "patch", "memprof", "shop", "--type=merge", f"--patch={act}")
    for (pod,) in pods.values():
        leak_to(release, namespace, pod, NO_HEADROOM)
    for kind in RESTARTED:
        decided(namespace, f"{kind}/leaks", "Done")


def end_the_snapshots(namespace: "Namespace") -> None:
    """Those that were asked for before that: as if their time were over."""
    resource = namespace.resources.resources.get(api_version=names.API_VERSION, kind=names.KIND_SNAPSHOT)

    def there() -> list[str]:
        return [one["metadata"]["name"] for one in resource.get(namespace=namespace.name).to_dict()["items"]]

    found = there()
    assert len(found) == len(RESTARTED), found
    for name in found:
        patch_status(namespace, "heapsnap", name, expiresAt="2020-01-01T00:00:00Z")
    eventually("the HeapSnapshots to go", lambda: there() == [], WAIT_SECONDS)


def become_alerts(cluster: LocalCluster, namespace: "Namespace", prometheus_operator: Path) -> None:
    """Files; with the kinds of the Prometheus operator these in place of files, and one less without a receiver."""

    def becomes(*kinds: str) -> None:
        def so(policy: dict[str, Any]) -> bool:
            generated = (policy.get("status") or {}).get("generated") or ()
            return sorted(one["kind"] for one in generated) == sorted(kinds)

        namespace.wait("MemoryAlertPolicy", "shop", so, names.API_VERSION, WAIT_SECONDS)

    namespace.apply(POLICY, receivers=RECEIVER)
    becomes("ConfigMap", "ConfigMap")
    with prometheus_kinds(cluster, prometheus_operator):
        becomes("PrometheusRule", "AlertmanagerConfig")
        namespace.apply(POLICY, receivers="")
        becomes("PrometheusRule")
    becomes("ConfigMap")
