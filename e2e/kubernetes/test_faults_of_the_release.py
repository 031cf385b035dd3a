"""Whatever is wrong with the rest of Memwarden: apps run on, it is told, and what was measured meanwhile arrives."""

import os
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from cluster.local.way import LocalCluster
from cluster.testing.network import reached_only_by, traffic_cut
from cluster.testing.waiting import eventually
from injected_pods import Pods, spec
from installation import NAMESPACE, PROFILE_API, RELEASE, WAIT_SECONDS, Installation
from release import Release

from memwarden_api import names

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

OUTAGE_SECONDS = 75.0
GAP_SECONDS = OUTAGE_SECONDS / 2
"""Samples are 5 s apart on a quiet machine. What an outage has cost would leave a gap of all its length."""
READER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: memwarden-view}
subjects: [{kind: ServiceAccount, name: reader, namespace: $namespace}]
"""
DENIED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody-goes-out}
spec: {podSelector: {}, policyTypes: [Egress], egress: []}
"""


@pytest.fixture
def local(cluster: "Cluster") -> LocalCluster:
    if not isinstance(cluster, LocalCluster):
        pytest.skip("only the network and the programs of a local cluster are ours to stop")
    return cluster


@pytest.fixture
def release_parts(system: "Namespace") -> Release:
    return Release(system)


class Reader:
    """Somebody who may look at the profiles of a namespace, and so at what the collector has of it."""

    def __init__(self, namespace: "Namespace", release: Release) -> None:
        self.namespace = namespace
        namespace.apply(READER, namespace=namespace.name)
        trusted = ssl.create_default_context(cadata=release.secret("collector-tls", "ca.crt"))
        trusted.check_hostname = False  # it is asked by its address
        address = release.namespace.read("Service", f"{RELEASE}-collector")["spec"]["clusterIP"]
        self._client = httpx.Client(
            base_url=f"https://{address}:4318", verify=trusted, timeout=30, trust_env=False
        )

    def ask(self, path: str) -> list[dict[str, Any]]:
        request = {"spec": {"audiences": [names.AUDIENCE], "expirationSeconds": 3600}}
        made = self.namespace.core.create_namespaced_service_account_token(
            "reader", self.namespace.name, request
        )
        try:
            answer = self._client.get(
                f"/api/v1{path}", headers={"authorization": f"Bearer {made.status.token}"}
            )
        except httpx.TransportError as error:
            raise AssertionError(repr(error)) from None
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def moments(self) -> list[float]:
        """When the one container of the namespace was measured."""
        (scope,) = self.ask(f"/scopes?namespace={self.namespace.name}")
        path = f"/scopes/{quote(scope['scope'])}/series?metric={names.MEMORY_ANON}"
        return sorted({moment for series in self.ask(path) for moment in series["times"]})


@contextmanager
def stopped(cluster: LocalCluster, program: str) -> Iterator[None]:
    """A program of the node answers nobody, and is not known to be gone."""
    process = cluster.node.process(program)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_outages_of_collector_database_and_api_server_harm_no_app_and_leave_no_gap(
    local: LocalCluster, pods: Pods, release_parts: Release
) -> None:
    reader = Reader(pods.namespace, release_parts)
    pods.make(spec(pods.image))
    (pod,) = pods.namespace.wait_ready("one")
    eventually("the first samples", lambda: len(reader.moments()) >= 3, WAIT_SECONDS)
    (database,) = release_parts.addresses("database")
    outages: dict[str, AbstractContextManager[None]] = {
        "collector": release_parts.away("collector"),
        "database": traffic_cut(local, database),
        "API server": stopped(local, "kube-apiserver"),
    }
    began = time.time()
    for name, outage in outages.items():
        with outage:
            time.sleep(OUTAGE_SECONDS)
        over = time.time()

        def closed(over: float = over) -> bool:
            moments = [moment for moment in reader.moments() if moment >= began - GAP_SECONDS]
            assert moments[-1] > over, "nothing since the outage"
            gaps = [later - earlier for earlier, later in pairwise(moments)]
            assert max(gaps) < GAP_SECONDS, sorted(gaps)[-3:]
            return True

        eventually(f"the gap of the {name} to be closed", closed, WAIT_SECONDS)
    after = pods.namespace.read("Pod", "one")
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    every = [*after["status"]["containerStatuses"], *after["status"]["initContainerStatuses"]]
    assert {one["name"]: one["restartCount"] for one in every} == {one["name"]: 0 for one in every}
    # The API server's outage is none of theirs either.
    for part in ("injector", "controller"):
        release_parts.wait_ready(part)
    assert pods.tried()[0]


def condition(pods: Pods, kind: str) -> dict[str, Any]:
    status = pods.namespace.read("MemoryProfile", "shop", PROFILE_API).get("status") or {}
    found = [one for one in status.get("conditions") or () if one["type"] == kind]
    assert found, status
    return found[0]


def test_denied_egress_is_named_with_the_policy_that_mends_it(
    local: LocalCluster, pods: Pods, release_parts: Release
) -> None:
    (collector,), (controller,) = (release_parts.addresses(part) for part in ("collector", "controller"))
    pods.namespace.apply(DENIED)
    # The cluster's own network obeys no policy: what this one would do is done by hand.
    with reached_only_by(local, collector, controller):
        pods.make(spec(pods.image))
        assert pods.said("one").startswith("hooked ")

        def named() -> dict[str, Any]:
            told = condition(pods, "Collecting")
            assert (told["status"], told["reason"]) == ("False", "NoSidecarReached"), told
            return told

        message = eventually("the condition", named, WAIT_SECONDS)["message"]
        assert "nobody-goes-out" in message
        assert f"kubernetes.io/metadata.name: {NAMESPACE}" in message.replace('"', "")
        assert condition(pods, "Ready")["reason"] == "NoSidecarReached"
    eventually("data", lambda: condition(pods, "Collecting")["status"] == "True", WAIT_SECONDS)


def test_an_image_of_ours_that_is_nowhere_leaves_the_app_running_without_us(
    installed: Installation, pods: Pods
) -> None:
    images = installed.values()["images"]
    images["probes"]["tag"] = "not-there"
    installed.install(images=images)
    try:
        pods.deploy("web", spec(pods.image))

        def told() -> dict[str, Any]:
            status = pods.namespace.read("MemoryProfile", "shop", PROFILE_API).get("status") or {}
            stopped = {one["workload"]: one for one in status.get("injectionStopped") or ()}
            assert "Deployment/web" in stopped, status
            return stopped["Deployment/web"]

        entry = eventually("the breaker", told, WAIT_SECONDS)
        assert entry["reason"] == "ImageNotPulled"
        assert "memwarden-probes" in entry["message"]

        def runs_without_us() -> bool:
            (pod,) = pods.namespace.pods("app=web")
            assert "memwarden.dev/injected" not in pod["metadata"]["labels"], pod["status"]
            return pods.said(pod["metadata"]["name"]).startswith("bare ")

        eventually("a pod without us", runs_without_us, WAIT_SECONDS)
        assert condition(pods, "Injected")["reason"] == "InjectionStoppedByBreaker"
    finally:
        installed.install()
