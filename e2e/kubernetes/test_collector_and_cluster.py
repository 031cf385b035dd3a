"""What the collector asks a real cluster: who may what (tokens that the kubelet mounts, rights by Roles), and kubelets.

The collector runs beside the cluster, as one of its own service accounts; pods and readers are those of the cluster.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from cluster.testing.waiting import eventually

from memwarden_api import names
from memwarden_api.scopes import container_scope, is_scope_of_pod

sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "tests"))

import collector_requests as otlp
from collector_processes import Collector, Server

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

MOUNTED = "/var/run/secrets/memwarden/token"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: $name, labels: {app: shop}}
spec:
  automountServiceAccountToken: true
  terminationGracePeriodSeconds: 0
  volumes:
    - name: memwarden-token
      projected:
        sources: [{serviceAccountToken: {audience: memwarden-collector, expirationSeconds: 600, path: token}}]
  containers:
    - name: app
      image: $image
      command: [sleep, "3600"]
      volumeMounts: [{name: memwarden-token, mountPath: /var/run/secrets/memwarden, readOnly: true}]
"""
ACCOUNTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: collector}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: controller}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [memwarden.dev], resources: [memoryprofiles], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: $namespace}]
"""
GRANT = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: $namespace-$name}
rules: $rules
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: $namespace-$name}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: $namespace-$name}
subjects: [{kind: ServiceAccount, name: $account, namespace: $namespace}]
"""
CONTROLLER = """[
    {apiGroups: [memwarden.dev], resources: [memoryprofiles], verbs: [get, list]},
    {apiGroups: [memwarden.dev], resources: [memoryprofiles/status], verbs: [update]}
]"""
KUBELETS = """[
    {apiGroups: [""], resources: [nodes], verbs: [list]},
    {apiGroups: [""], resources: [nodes/proxy], verbs: [get]}
]"""
UNWATCHED = """
apiVersion: v1
kind: Pod
metadata: {name: $name}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
    - name: app
      image: $image
      command: [python3, -c, "import time; kept = bytearray(40 << 20); time.sleep(3600)"]
      resources: {requests: {memory: 64Mi}, limits: {memory: 96Mi}}
"""
REVIEWS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: $namespace-reviews}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}
subjects: [{kind: ServiceAccount, name: collector, namespace: $namespace}]
"""


class Guarded:
    """A collector that asks the cluster who may what."""

    def __init__(self, namespace: "Namespace", collector: Collector) -> None:
        self.namespace = namespace
        self.client = collector.client
        self.log = collector.log

    def report(self, token: str, attributes: dict[str, object]) -> httpx.Response:
        request = otlp.ExportMetricsServiceRequest()
        otlp.add_resource(request, attributes, time.time(), [(names.MEMORY_ANON, 1e8, {})])
        return otlp.post_metrics(self.client, request, authorization=f"Bearer {token}")

    def ask(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **more)


def account_token(namespace: "Namespace", account: str, audience: str | None = names.AUDIENCE) -> str:
    """Of a service account, bound to no pod."""
    spec = {"audiences": [audience] if audience else [], "expirationSeconds": 3600}
    made = namespace.core.create_namespaced_service_account_token(account, namespace.name, {"spec": spec})
    return str(made.status.token)


def grant(namespace: "Namespace", name: str, account: str, rules: str) -> None:
    """Rights in the whole cluster for an account of the namespace."""
    namespace.apply(GRANT, namespace=namespace.name, name=name, account=account, rules=rules)


def remove_cluster_wide(namespace: "Namespace") -> None:
    rbac = namespace.resources.resources
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        resource = rbac.get(api_version="rbac.authorization.k8s.io/v1", kind=kind)
        for suffix in ("controller", "reviews", "kubelets"):
            if any(one.metadata.name == f"{namespace.name}-{suffix}" for one in resource.get().items):
                resource.delete(name=f"{namespace.name}-{suffix}")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("database"))
    server.start()
    yield server.url()
    server.stop(signal.SIGQUIT)


@pytest.fixture
def guarded(namespace: "Namespace", database: str, tmp_path: Path) -> Iterator[Guarded]:
    namespace.apply(ACCOUNTS, namespace=namespace.name)
    grant(namespace, "controller", "controller", CONTROLLER)
    configuration = namespace.api.configuration
    bundle = namespace.read("ConfigMap", "kube-root-ca.crt")["data"]["ca.crt"]
    (tmp_path / "ca.crt").write_text(bundle)
    (tmp_path / "token").write_text(account_token(namespace, "collector", audience=None))
    options = (
        "--kubernetes",
        "--kubernetes-api",
        configuration.host,
        "--kubernetes-ca-file",
        tmp_path / "ca.crt",
    )
    options += (
        "--kubernetes-token-file",
        tmp_path / "token",
        "--token-seconds",
        "1",
        "--refusal-seconds",
        "0",
    )
    options += ("--kubelet-seconds", "2")
    collector = Collector(tmp_path, database, *map(str, options))
    try:
        yield Guarded(namespace, collector)
    finally:
        assert collector.stop() == 0, collector.log.read_text()
        remove_cluster_wide(namespace)


def own(namespace: "Namespace", pod: dict[str, Any]) -> dict[str, object]:
    """What the sidecar of this pod says."""
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    return {
        names.SCOPE_ID: container_scope(namespace.name, name, uid, "app", "1"),
        names.SCOPE_KIND: names.SCOPE_KIND_CONTAINER,
        names.K8S_NAMESPACE: namespace.name,
        names.K8S_POD: name,
        names.K8S_POD_UID: uid,
        names.K8S_CONTAINER: "app",
    }


def test_a_pod_reports_about_itself_and_nobody_else_by_the_token_that_the_kubelet_mounts(
    guarded: Guarded, image: Callable[[str], str]
) -> None:
    namespace = guarded.namespace
    namespace.apply(REVIEWS, namespace=namespace.name)
    for name in ("cart", "till"):
        namespace.apply(POD, name=name, image=image("python-3.11"))
    cart, till = namespace.wait_ready("cart", "till")
    mine = namespace.execute("cart", "cat", MOUNTED).stdout
    with_api_audience = namespace.execute(
        "cart", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"
    ).stdout

    def taken() -> bool:
        answer = guarded.report(mine, own(namespace, cart))
        assert answer.status_code == 200, answer.text
        return not otlp.metrics_answer(answer).HasField("partial_success")

    eventually("the collector's right to ask for reviews", taken, 60)
    other = otlp.metrics_answer(guarded.report(mine, own(namespace, till))).partial_success
    assert other.rejected_data_points == 1
    assert f"not of the pod {namespace.name}/cart" in other.error_message
    refused = guarded.report(with_api_audience, own(namespace, cart))
    assert refused.status_code == 401
    assert "audience" in refused.text

    commands = "/commands/next?wait=0&pod_uid="
    assert guarded.ask(mine, "GET", commands + till["metadata"]["uid"]).status_code == 403
    assert guarded.ask(mine, "GET", commands + cart["metadata"]["uid"]).status_code not in (401, 403)

    # A token dies with its pod.
    namespace.core.delete_namespaced_pod("cart", namespace.name, grace_period_seconds=0)

    def gone() -> bool:
        return guarded.report(mine, own(namespace, cart)).status_code == 401

    eventually("the token of the deleted pod to be refused", gone, 120)


def test_readers_and_the_controller_may_what_their_roles_say(guarded: Guarded) -> None:
    namespace = guarded.namespace
    namespace.apply(REVIEWS, namespace=namespace.name)
    reader, controller = (account_token(namespace, name) for name in ("reader", "controller"))

    def listed() -> bool:
        answer = guarded.ask(reader, "GET", f"/scopes?namespace={namespace.name}")
        assert answer.status_code == 200, answer.text
        return True

    eventually("the reader's Role", listed, 60)
    for path, missing in {
        "/scopes": "list memoryprofiles.memwarden.dev in the whole cluster",
        "/scopes?namespace=kube-system": "list memoryprofiles.memwarden.dev in namespace kube-system",
        "/scopes/kube-system/dns/app@12345678-1/verdict": "get memoryprofiles.memwarden.dev in namespace kube-system",
    }.items():
        answer = guarded.ask(reader, "GET", path)
        assert answer.status_code == 403, answer.text
        assert missing in answer.json()["detail"]
    refused = guarded.ask(reader, "PUT", "/cluster/owners", json={"items": []})
    assert refused.status_code == 403
    assert "update memoryprofiles.memwarden.dev/status in the whole cluster" in refused.json()["detail"]
    assert guarded.ask(controller, "PUT", "/cluster/owners", json={"items": []}).status_code not in (401, 403)
    assert guarded.ask(controller, "GET", "/scopes").status_code == 200
    # Who is bound to no pod reports for others only by the controller's right.
    anybody = {names.SERVICE_NAME: "gateway"}
    assert guarded.report(reader, anybody).status_code == 403
    assert guarded.report(controller, anybody).status_code == 200


def test_a_collector_that_may_not_ask_says_which_right_it_lacks(guarded: Guarded) -> None:
    answer = guarded.ask(account_token(guarded.namespace, "reader"), "GET", "/scopes")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    detail = answer.json()["detail"]
    assert "create tokenreviews.authentication.k8s.io" in detail
    assert "the right is missing" in detail


def test_a_selected_pod_without_a_sidecar_is_told_by_its_kubelet_and_others_are_not(
    guarded: Guarded, image: Callable[[str], str]
) -> None:
    namespace = guarded.namespace
    namespace.apply(REVIEWS, namespace=namespace.name)
    for name in ("selected", "other"):
        namespace.apply(UNWATCHED, name=name, image=image("python-3.11"))
    selected, _ = namespace.wait_ready("selected", "other")
    controller = account_token(namespace, "controller")
    missed = {"pod": "selected", "reason": "RuntimeNotSupported", "message": "no probe for its runtime"}
    coverage = {"matched": 1, "injected": 0, "skipped": [missed], "at": datetime.now(UTC).isoformat()}

    def told() -> bool:
        path = f"/cluster/coverage/{namespace.name}/all"
        answer = guarded.ask(controller, "PUT", path, json=coverage)
        assert answer.status_code == 204, answer.text
        return True

    eventually("the controller's role", told, 60)
    eventually("the missing right to be named", lambda: "'list' on 'nodes'" in guarded.log.read_text(), 60)
    grant(namespace, "kubelets", "collector", KUBELETS)

    def watched() -> list[dict[str, Any]]:
        answer = guarded.ask(controller, "GET", f"/scopes?namespace={namespace.name}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    (scope,) = eventually("what its kubelet tells", watched, 180)
    uid = selected["metadata"]["uid"]
    assert is_scope_of_pod(scope["scope"], namespace.name, "selected", uid)
    assert scope["limit"] == {"bytes": 96 << 20, "source": "cgroup"}
    assert scope["attributes"][names.K8S_POD_UID] == uid

    def measured() -> dict[str, list[float]]:
        answer = guarded.ask(controller, "GET", f"/scopes/{quote(scope['scope'])}/series")
        assert answer.status_code == 200, answer.text
        found = {item["metric"]: item["values"] for item in answer.json()["items"]}
        assert len(found[names.MEMORY_ANON]) >= 2, "one measurement"
        return found

    series = eventually("a second measurement", measured, 180)
    assert 40 << 20 <= series[names.MEMORY_ANON][-1] <= 96 << 20
    assert names.CPU_TIME in series
    assert set(series[names.MEMORY_OOM_EVENTS]) == {0.0}
