"""The controller at a real API server, with the real collector: coverage, owners, verdicts, faults, the breaker.

Both are processes beside the cluster; the controller is a service account that has the rights of rights.py and no
other. Pods are made as if injected, by label and container names: what injects is tested elsewhere. Their images
don't exist, so no pod costs more than an entry in the API server, unless a test needs it to run.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from cluster.testing.waiting import eventually
from controller_process import Controller, account
from tcp_proxy import proxied

from memwarden_api import names
from memwarden_operator.controller.rights import cluster_role

sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "tests"))

import collector_requests as otlp
from collector_processes import Collector, Server

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from kubernetes.client import ApiClient

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

PROFILE = """
apiVersion: memwarden.dev/v1alpha1
kind: MemoryProfile
metadata: {name: shop}
spec: {selector: {matchLabels: {part: shop}}}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: $name}
spec:
  replicas: $replicas
  selector: {matchLabels: {app: $name}}
  template:
    metadata: {labels: {app: $name, part: shop $label}}
    spec:
      terminationGracePeriodSeconds: 0
      $ours
      containers: [{name: app, image: "no.such/image:1"}]
"""
NIGHTLY = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        metadata: {labels: {memwarden.dev/injected: shop}}
        spec: {restartPolicy: Never, containers: [{name: app, image: "no.such/image:1"}]}
"""
INJECTED = ", memwarden.dev/injected: shop"
BROKEN = "initContainers: [{name: memwarden-probes, image: 'no.such/probes:1'}]"


@pytest.fixture(scope="module")
def controller(folder: Path, kubeconfig: Path, collector: Collector) -> Iterator[Controller]:
    running = Controller(folder, kubeconfig, collector.url)
    running.wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()
    assert "the right is missing" not in running.log.read_text(), running.log.read_text()


def condition(profile: dict[str, Any], kind: str) -> dict[str, Any]:
    found = (profile.get("status") or {}).get("conditions") or ()
    return next((one for one in found if one["type"] == kind), {})


def wait_for(
    namespace: "Namespace", until: Callable[[dict[str, Any]], object], name: str = "shop"
) -> dict[str, Any]:
    return namespace.wait(
        "MemoryProfile", name, lambda one: one.get("status") and until(one), names.API_VERSION, 240
    )


def reason_is(kind: str, reason: str) -> Callable[[dict[str, Any]], bool]:
    return lambda profile: condition(profile, kind).get("reason") == reason


def events(namespace: "Namespace", reason: str) -> list[dict[str, Any]]:
    resource = namespace.resources.resources.get(api_version="events.k8s.io/v1", kind="Event")
    found = resource.get(namespace=namespace.name, field_selector=f"reason={reason}").to_dict()
    items: list[dict[str, Any]] = found["items"]
    return items


def label(namespace: "Namespace", value: str) -> None:
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": {names.INJECT: value}}})


def owners(collector: Collector, namespace: "Namespace") -> list[dict[str, Any]]:
    answer = collector.client.get("/api/v1/cluster/owners", params={"namespace": namespace.name})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_missed_pods_are_told_with_the_command_that_mends_it(
    controller: Controller, collector: Collector, namespace: "Namespace"
) -> None:
    namespace.apply(PROFILE)
    namespace.apply(WEB, name="web", replicas=2, label=INJECTED, ours="")
    namespace.apply(WEB, name="plain", replicas=1, label="", ours="")
    profile = wait_for(
        namespace,
        lambda one: (one["status"]["coverage"]["matched"], one["status"]["coverage"]["injected"]) == (3, 2),
    )
    (skipped,) = profile["status"]["coverage"]["skipped"]
    assert skipped["reason"] == names.MISSED_NAMESPACE_NOT_LABELLED
    command = f"kubectl label namespace {namespace.name} {names.INJECT}=true"
    assert command in skipped["message"]
    assert condition(profile, "Injected")["status"] == "False"
    assert command in condition(profile, "Injected")["message"]
    (event,) = eventually("the event", lambda: events(namespace, names.EVENT_POD_MISSED))
    assert (event["regarding"]["kind"], event["regarding"]["name"]) == ("Deployment", "plain")
    assert command in event["note"]

    label(namespace, "true")
    profile = wait_for(
        namespace, lambda one: one["status"]["coverage"]["skipped"][0]["reason"] == names.MISSED_NOT_SEEN
    )
    assert (
        f"kubectl rollout restart deployment/plain -n {namespace.name}"
        in profile["status"]["coverage"]["skipped"][0]["message"]
    )
    told = collector.client.get("/api/v1/cluster/coverage", params={"namespace": namespace.name})

    def coverage() -> bool:
        told = collector.client.get("/api/v1/cluster/coverage", params={"namespace": namespace.name})
        (item,) = told.json()["items"] or [{}]
        return (item.get("matched"), item.get("injected"), len(item.get("skipped", ()))) == (3, 2, 1)

    assert told.status_code == 200
    eventually("the collector to know it", coverage)


def test_a_selector_that_matches_nothing_is_told(controller: Controller, namespace: "Namespace") -> None:
    namespace.apply(PROFILE)
    profile = wait_for(namespace, reason_is("Injected", names.REASON_NO_POD))
    assert condition(profile, "Ready")["reason"] == names.REASON_NO_POD
    assert profile["status"]["observedGeneration"] == profile["metadata"]["generation"]


def test_the_collector_learns_whose_pods_are(
    controller: Controller, collector: Collector, namespace: "Namespace"
) -> None:
    namespace.apply(PROFILE)
    namespace.apply(WEB, name="web", replicas=2, label=INJECTED, ours="")
    namespace.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: alone, labels: {part: shop, memwarden.dev/injected: shop}}\n"
        "spec: {containers: [{name: app, image: 'no.such/image:1'}]}"
    )
    namespace.apply(NIGHTLY)

    def known() -> set[tuple[str, str]]:
        found = {(one["kind"], one["name"]) for one in owners(collector, namespace)}
        assert {("Deployment", "web"), ("Pod", "alone"), ("CronJob", "nightly")} <= found, found
        return found

    eventually("the owners", known, 150)
    of_web = [one for one in owners(collector, namespace) if one["name"] == "web"]
    assert len(of_web) == 2
    assert all(one["profile"] == "shop" and one["version"] for one in of_web)
    rollouts = collector.client.get("/api/v1/cluster/rollouts", params={"namespace": namespace.name}).json()[
        "items"
    ]
    (web,) = (one for one in rollouts if one["name"] == "web")
    assert (web["revision"], web["version"]) == (1, of_web[0]["version"])


def test_what_the_collector_says_of_a_workload_stands_in_the_status(
    controller: Controller, collector: Collector, namespace: "Namespace"
) -> None:
    namespace.apply(PROFILE)
    namespace.apply(WEB, name="web", replicas=1, label=INJECTED, ours="")
    (pod,) = eventually("the pod", lambda: namespace.pods("app=web"))
    about = {
        names.SCOPE_KIND: names.SCOPE_KIND_CONTAINER,
        names.K8S_NAMESPACE: namespace.name,
        names.K8S_POD: pod["metadata"]["name"],
        names.K8S_POD_UID: pod["metadata"]["uid"],
        names.K8S_CONTAINER: "app",
        "k8s.replicaset.name": pod["metadata"]["ownerReferences"][0]["name"],
    }
    scope = f"{namespace.name}/{pod['metadata']['name']}/app@{pod['metadata']['uid']}-1"

    def send() -> bool:
        request = otlp.ExportMetricsServiceRequest()
        otlp.add_resource(
            request,
            {**otlp.scope_attributes(scope), **about},
            time.time(),
            [(names.MEMORY_ANON, 1e8, {}), (names.PROCESS_COUNT, 1, {})],
        )
        body = request.SerializeToString()
        answer = httpx.post(
            f"{collector.url}/v1/metrics", content=body, headers=otlp.PROTOBUF, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        found = namespace.read("MemoryProfile", "shop", names.API_VERSION)
        return bool((found.get("status") or {}).get("workloads"))

    eventually("the workload in the status", send, 120)
    profile = namespace.read("MemoryProfile", "shop", names.API_VERSION)
    (workload,) = profile["status"]["workloads"]
    assert (workload["kind"], workload["name"], workload["container"]) == ("Deployment", "web", "app")
    profile = wait_for(namespace, lambda one: send() and one["status"]["coverage"]["reporting"] == 1)


def test_killed_in_the_middle_it_goes_on_and_tells_nothing_twice(
    controller: Controller, namespace: "Namespace"
) -> None:
    namespace.apply(PROFILE)
    namespace.apply(WEB, name="plain", replicas=1, label="", ours="")
    wait_for(namespace, reason_is("Injected", names.REASON_PODS_MISSED))
    eventually("the event", lambda: events(namespace, names.EVENT_POD_MISSED))
    controller.kill()
    namespace.apply(WEB, name="web", replicas=2, label=INJECTED, ours="")
    controller.start()
    controller.wait_ready()
    wait_for(namespace, lambda one: one["status"]["coverage"]["injected"] == 2)
    assert len(events(namespace, names.EVENT_POD_MISSED)) == 1


def test_a_profile_goes_while_the_controller_is_away(
    controller: Controller, collector: Collector, namespace: "Namespace"
) -> None:
    namespace.apply(PROFILE)
    profile = wait_for(namespace, reason_is("Injected", names.REASON_NO_POD))
    assert "finalizers" not in profile["metadata"]
    assert not profile["metadata"].get("annotations")
    controller.kill()
    resource = namespace.resources.resources.get(api_version=names.API_VERSION, kind=names.KIND_PROFILE)
    resource.delete(name="shop", namespace=namespace.name)
    assert resource.get(namespace=namespace.name).to_dict()["items"] == []
    controller.start()
    controller.wait_ready()


def test_an_image_of_ours_that_cant_be_pulled_stops_injection_and_frees_the_pods(
    controller: Controller, namespace: "Namespace"
) -> None:
    label(namespace, "true")
    namespace.apply(PROFILE)
    namespace.apply(WEB, name="web", replicas=1, label=INJECTED, ours=BROKEN)
    namespace.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: alone, labels: {part: shop, memwarden.dev/injected: shop}}\n"
        f"spec: {{{BROKEN}, containers: [{{name: app, image: 'no.such/image:1'}}]}}"
    )
    (first,) = eventually("the pod", lambda: namespace.pods("app=web"))
    profile = namespace.wait(
        "MemoryProfile",
        "shop",
        lambda one: len((one.get("status") or {}).get("injectionStopped", ())) == 2,
        names.API_VERSION,
        240,
    )
    stopped = {one["workload"]: one for one in profile["status"]["injectionStopped"]}
    assert set(stopped) == {"Deployment/web", "Pod/alone"}
    assert all(
        one["reason"] == names.STOP_IMAGE and "memwarden-probes" in one["message"] for one in stopped.values()
    )
    assert condition(profile, "Ready")["reason"] == names.REASON_INJECTION_STOPPED
    told = {one["regarding"]["kind"] for one in events(namespace, names.EVENT_INJECTION_STOPPED)}
    assert told == {"Deployment", "Pod"}

    def replaced() -> bool:
        uids = [one["metadata"]["uid"] for one in namespace.pods("app=web")]
        return bool(uids) and first["metadata"]["uid"] not in uids

    eventually("the stuck pod to be evicted", replaced, 120)
    (stuck,) = eventually("the event on the bare pod", lambda: events(namespace, names.EVENT_POD_STUCK))
    assert stuck["regarding"]["name"] == "alone"
    assert "kubectl replace" in stuck["note"]
    assert namespace.read("Pod", "alone")["metadata"].get("deletionTimestamp") is None


def test_a_full_quota_is_seen_from_the_owner(controller: Controller, namespace: "Namespace") -> None:
    label(namespace, "true")
    namespace.apply(PROFILE)
    namespace.apply(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: memory}\nspec: {hard: {requests.memory: 140Mi}}"
    )
    namespace.wait("ResourceQuota", "memory", lambda one: (one.get("status") or {}).get("hard"))
    # As the injector leaves it: the app's 128Mi and the sidecar's 48Mi.
    namespace.apply(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n"
        "  template:\n    metadata: {labels: {app: web, part: shop}}\n    spec:\n      containers:\n"
        "      - {name: app, image: 'no.such/image:1', resources: {requests: {memory: 128Mi}}}\n"
        "      - {name: memwarden, image: 'no.such/sidecar:1', resources: {requests: {memory: 48Mi}}}\n"
    )
    profile = wait_for(namespace, lambda one: (one.get("status") or {}).get("injectionStopped"))
    (stopped,) = profile["status"]["injectionStopped"]
    assert (stopped["workload"], stopped["reason"]) == ("Deployment/web", names.STOP_QUOTA)
    assert "quota memory" in stopped["message"]


def test_a_missing_right_is_named_in_the_status(
    kubernetes_api: "ApiClient", collector: Collector, tmp_path: Path, namespace: "Namespace", kind: None
) -> None:
    rules = [rule for rule in cluster_role()["rules"] if rule["resources"] != ["pods"]]
    with account(kubernetes_api, f"lacking-{namespace.name}"[:60], rules, tmp_path) as path:
        lacking = Controller(tmp_path, path, collector.url, "--namespaces", namespace.name)
        try:
            namespace.apply(PROFILE)
            profile = wait_for(namespace, reason_is("Stalled", names.REASON_RIGHT_MISSING))
            text = condition(profile, "Stalled")["message"]
            assert "grant the verb 'list' on 'pods'" in text
            assert condition(profile, "Ready")["status"] == "False"
        finally:
            assert lacking.stop() == 0, lacking.log.read_text()


def test_a_collector_that_is_away_is_told_and_told_everything_when_it_is_back(
    kubeconfig: Path, database: Server, tmp_path: Path, namespace: "Namespace"
) -> None:
    first = Collector(tmp_path, database.url())
    port = first.url.rsplit(":", 1)[1].rstrip("/")
    own = Controller(tmp_path, kubeconfig, first.url, "--namespaces", namespace.name)
    try:
        namespace.apply(PROFILE)
        namespace.apply(WEB, name="web", replicas=1, label=INJECTED, ours="")
        eventually("the owner", lambda: owners(first, namespace), 120)
        first.kill()
        profile = wait_for(namespace, reason_is("Collecting", names.REASON_COLLECTOR_AWAY))
        assert condition(profile, "Collecting")["status"] == "Unknown"
        assert condition(profile, "LeakFree")["status"] == "Unknown"
        assert "has not answered since 20" in condition(profile, "Collecting")["message"]
        namespace.apply(WEB, name="later", replicas=1, label=INJECTED, ours="")
        # Of a newer installation, with another database: what is known must come again.
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute("create database another")
        again = Collector(tmp_path, database.url("another"), "--listen", f"127.0.0.1:{port}")
        try:
            wait_for(
                namespace,
                lambda one: condition(one, "Collecting").get("reason") != names.REASON_COLLECTOR_AWAY,
            )
            eventually(
                "the owners, told again",
                lambda: {one["name"] for one in owners(again, namespace)} == {"web", "later"},
            )
        finally:
            again.kill()
    finally:
        assert own.stop() == 0, own.log.read_text()
    assert "Traceback" not in own.log.read_text(), own.log.read_text()


def test_an_api_server_that_was_away_is_caught_up_with(
    kubernetes_api: "ApiClient",
    kubeconfig: Path,
    collector: Collector,
    tmp_path: Path,
    namespace: "Namespace",
) -> None:
    address = urlsplit(kubernetes_api.configuration.host)
    with proxied(address.hostname or "", address.port or 443) as proxy:
        through = tmp_path / "through.kubeconfig"
        through.write_text(
            kubeconfig.read_text().replace(address.geturl(), f"https://127.0.0.1:{proxy.port}")
        )
        own = Controller(tmp_path, through, collector.url, "--namespaces", namespace.name)
        try:
            own.wait_ready()
            namespace.apply(PROFILE)
            wait_for(namespace, reason_is("Injected", names.REASON_NO_POD))
            proxy.cut()
            namespace.apply(WEB, name="web", replicas=2, label=INJECTED, ours="")
            eventually(
                "the outage to be noticed", lambda: "no answer from the API server" in own.log.read_text()
            )
            assert own.answers("/healthz"), "a restart would not help"
            proxy.join()
            wait_for(namespace, lambda one: one["status"]["coverage"]["injected"] == 2)
            eventually("the owners", lambda: len(owners(collector, namespace)) == 2)
        finally:
            assert own.stop() == 0, own.log.read_text()
    assert "Traceback" not in own.log.read_text(), own.log.read_text()
