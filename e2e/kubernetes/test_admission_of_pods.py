"""What a real API server makes of the injector's patches: pods by dry run, in namespaces that are strict.

The injector runs here, beside the cluster, with a service account's token; the webhook is registered by hand, with the
chart's two entries. So no image is needed: what admission, quotas and Pod Security say is known before a pod starts.
Named so that it runs before the tests that install a release, whose injector would change the same pods.
"""

import base64
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml
from cluster.testing.waiting import eventually

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from cluster.ways import Cluster
    from kubernetes.client import ApiClient

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CALLED = "memwarden-review-test"
RULES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: memwarden-review-test}
rules:
  - {apiGroups: [memwarden.dev], resources: [memoryprofiles], verbs: [list, watch]}
  - {apiGroups: [""], resources: [limitranges, resourcequotas], verbs: [list, watch]}
  - {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
"""
OURS = ["memwarden", "memwarden-image-1"]


@dataclass
class Running:
    """The injector's process."""

    process: subprocess.Popen[bytes]
    log: Path


def host_of(cluster: "Cluster") -> tuple[str, str, str]:
    """(the API server's URL, PEM of its authority, our address as it sees us)"""
    told = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    address = urlsplit(told["server"])
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        ours = connection.getsockname()[0]
    authority = told.get("certificate-authority-data")
    pem = (
        base64.b64decode(authority).decode() if authority else Path(told["certificate-authority"]).read_text()
    )
    return told["server"], pem, ours


@pytest.fixture(scope="module")
def injector(
    kind: None, cluster: "Cluster", kubernetes_api: "ApiClient", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The process, with rights of its own, and the API server sent to it."""
    from kubernetes import client

    folder = tmp_path_factory.mktemp("injector")
    admission = client.AdmissionregistrationV1Api(kubernetes_api)
    rights = client.RbacAuthorizationV1Api(kubernetes_api)
    others = [one.metadata.name for one in admission.list_mutating_webhook_configuration().items]
    assert not [name for name in others if "memwarden" in name], f"another injector is there: {others}"
    server, authority, ours = host_of(cluster)
    (folder / "api-ca.crt").write_text(authority)
    (folder / "token").write_text(account(kubernetes_api))
    bundle = certificates(folder, ours)
    made = start(folder, server)
    try:
        port = port_of(made)
        admission.create_mutating_webhook_configuration(configuration(f"https://{ours}:{port}", bundle))
        yield made
    finally:
        made.process.terminate()
        made.process.wait(30)
        for configured in admission.list_mutating_webhook_configuration().items:
            if configured.metadata.name == CALLED:
                admission.delete_mutating_webhook_configuration(CALLED)
        rights.delete_cluster_role_binding(CALLED)
        rights.delete_cluster_role(CALLED)


def account(api: "ApiClient") -> str:
    """A token of an account that may do what the injector must, and no more."""
    from kubernetes import client

    rights, core = client.RbacAuthorizationV1Api(api), client.CoreV1Api(api)
    metadata = {"name": CALLED}
    rights.create_cluster_role(yaml.safe_load(RULES))
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CALLED}
    rights.create_cluster_role_binding({"metadata": metadata, "roleRef": role, "subjects": [subject]})
    request = {"spec": {"audiences": [], "expirationSeconds": 3600}}
    return core.create_namespaced_service_account_token("default", "default", request).status.token


def certificates(folder: Path, address: str) -> str:
    """Certificate and key for an address; the bundle for the API server."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from memwarden_operator.certificates.authority import State, renewed

    state = renewed(State(), ("unused",), datetime.now(UTC))
    assert state.signing is not None
    # Ours are for names; only here is the webhook called by an address.
    key = ec.generate_private_key(ec.SECP256R1())
    signer = serialization.load_pem_private_key(state.signing.key.encode(), None)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(state.signing.parsed.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(state.signing.begins)
        .not_valid_after(state.signing.ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=True)
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    )
    (folder / "tls.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(key.private_bytes(*form))
    (folder / "trust.crt").write_text(state.bundle())
    return state.bundle()


def start(folder: Path, server: str) -> Running:
    command = [
        *(sys.executable, "-m", "memwarden_operator", "injector", "--listen=0.0.0.0:0"),
        *("--health-listen=127.0.0.1:0", f"--api-server={server}", f"--api-token-file={folder / 'token'}"),
        *(f"--api-ca-file={folder / 'api-ca.crt'}", f"--tls-cert={folder / 'tls.crt'}"),
        *(f"--tls-key={folder / 'tls.key'}", f"--collector-ca-file={folder / 'trust.crt'}"),
        "--sidecar-image=memwarden-sidecar:1",
        *("--collector=https://memwarden-collector.memwarden-system.svc:4318", "--drain=1ms"),
    ]
    log = folder / "log"
    with log.open("wb") as written:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        return Running(subprocess.Popen(command, stderr=written, env=environment), log)


def port_of(running: Running) -> int:
    def look() -> int:
        found = re.search(r"--listen listens on 0.0.0.0:(\d+)", running.log.read_text())
        assert found, running.log.read_text()
        return int(found[1])

    return eventually("the injector to listen", look, 60)


def configuration(url: str, bundle: str) -> dict[str, Any]:
    common = {
        "rules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        ],
        "failurePolicy": "Fail",  # here a call that fails must be seen
        "timeoutSeconds": 20,
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
    }
    authority = base64.b64encode(bundle.encode()).decode()
    labelled = {"matchLabels": {names.INJECT: "true"}}
    not_labelled = {"matchExpressions": [{"key": names.INJECT, "operator": "DoesNotExist"}]}
    # Namespaces of other tests are none of its business.
    mine = {"key": "memwarden.test/review", "operator": "Exists"}
    entries = [
        ("labelled-pod", labelled, {"matchExpressions": [mine]}),
        ("labelled-namespace", not_labelled, {**labelled, "matchExpressions": [mine]}),
    ]
    return {
        "metadata": {"name": CALLED},
        "webhooks": [
            {
                "name": f"{name}.memwarden.dev",
                "clientConfig": {"url": f"{url}/mutate/{name}", "caBundle": authority},
                "objectSelector": pods,
                "namespaceSelector": namespaces,
                **common,
            }
            for name, pods, namespaces in entries
        ],
    }


class Shop:
    """A namespace with a profile that the injector knows."""

    def __init__(self, namespace: "Namespace", **labels: str) -> None:
        self.namespace = namespace
        level = {"pod-security.kubernetes.io/enforce": "restricted", "memwarden.test/review": "", **labels}
        namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": level}})

    def profile(self, name: str = "shop", **spec: Any) -> None:
        self.namespace.apply(
            json.dumps(
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND_PROFILE,
                    "metadata": {"name": name},
                    "spec": {"injection": {"minimumContainerMemory": "16Mi"}, **spec},
                }
            ).replace("$", "$$")
        )
        eventually("the injector to know the profile", lambda: is_injected(self.tried(pod())), 60)

    def tried(self, body: dict[str, Any]) -> dict[str, Any]:
        """The pod as admission leaves it."""
        api = self.namespace.api
        made = self.namespace.core.create_namespaced_pod(self.namespace.name, body, dry_run="All")
        return api.sanitize_for_serialization(made)


def pod(cpu: str = "", memory: str = "", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    amounts = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    container = {
        "name": "app",
        "image": "app:1",
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    wanted = {names.INJECT: "true"} if labels is None else labels
    metadata = {"name": "one", "labels": wanted}
    return {"metadata": metadata, "spec": {"containers": [container], "securityContext": security, **spec}}


def is_injected(made: dict[str, Any]) -> bool:
    return [one["name"] for one in made["spec"].get("initContainers", ())] == OURS


def sidecar_of(made: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in made["spec"]["initContainers"] if one["name"] == names.CONTAINER_SIDECAR]
    return dict(found)


def test_a_patched_pod_is_admitted_where_pod_security_is_restricted(
    injector: Running, namespace: "Namespace"
) -> None:
    shop = Shop(namespace)
    shop.profile()
    made = shop.tried(pod())
    assert made["metadata"]["labels"][names.INJECTED] == "shop"
    # Given back as it is, with all defaults of the API server: nothing is done twice.
    again = shop.tried({"metadata": {**made["metadata"], "resourceVersion": None}, "spec": made["spec"]})
    assert again["spec"] == made["spec"]
    assert again["metadata"]["annotations"] == made["metadata"]["annotations"]
    assert sidecar_of(made)["restartPolicy"] == "Always"


def test_a_guaranteed_pod_stays_one(injector: Running, namespace: "Namespace") -> None:
    shop = Shop(namespace)
    shop.profile()
    made = shop.tried(pod("500m", "256Mi"))
    assert is_injected(made)
    assert made["status"]["qosClass"] == "Guaranteed"
    # Kubernetes's own words for a pod without any, which ours makes Burstable.
    assert shop.tried(pod())["status"]["qosClass"] == "Burstable"


def test_namespaces_and_profiles_decide(injector: Running, namespace: "Namespace") -> None:
    shop = Shop(namespace, **{names.INJECT: "true"})
    shop.profile()
    assert is_injected(shop.tried(pod(labels={})))
    assert not is_injected(shop.tried(pod(labels={names.INJECT: "false"})))


LIMITS = """
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec:
  limits:
    - type: Container
      min: {cpu: 20m, memory: 50Mi}
      max: {cpu: "1", memory: 512Mi}
      default: {cpu: 500m, memory: 256Mi}
      defaultRequest: {cpu: 100m, memory: 128Mi}
      maxLimitRequestRatio: {memory: "4"}
"""


def test_a_limit_range_is_kept_to(injector: Running, namespace: "Namespace") -> None:
    shop = Shop(namespace)
    shop.profile()
    namespace.apply(LIMITS)

    def look() -> None:
        # Whatever the injector knows of it already: a pod that is refused is an error here.
        made = shop.tried(pod("200m", "128Mi"))
        assert is_injected(made)
        assert sidecar_of(made)["resources"]["requests"] == {
            "cpu": "100m",
            "memory": "96Mi",
        }

    eventually("the pod to be injected within its limits", lambda: look() is None, 60)
    sparing = shop.tried(pod())
    assert is_injected(sparing), "the pod's own defaults are those of the range"
    ours = sidecar_of(sparing)["resources"]
    assert ours["requests"] == {"cpu": "20m", "memory": "50Mi"}
    assert ours["limits"]["cpu"] == "1"


QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota}
spec: {hard: {requests.cpu: "1", requests.memory: 300Mi, limits.cpu: "2", limits.memory: 300Mi}}
"""


def test_a_quota_without_room_for_the_sidecar_lets_the_pod_start_without(
    injector: Running, namespace: "Namespace"
) -> None:
    shop = Shop(namespace)
    shop.profile()
    namespace.apply(QUOTA)
    namespace.wait("ResourceQuota", "quota", lambda quota: (quota.get("status") or {}).get("hard"))

    def alone() -> bool:
        from kubernetes.client.exceptions import ApiException

        try:
            return not is_injected(shop.tried(pod("100m", "256Mi")))
        except ApiException as error:
            # As long as the injector has not heard of the quota.
            raise AssertionError(error.body) from None

    eventually("the pod to be admitted without a sidecar", alone, 60)
    # A quota on limits wants one from each container: ours has one.
    made = shop.tried(pod("100m", "128Mi"))
    assert is_injected(made)


def test_what_is_skipped_is_told_by_an_event_on_the_owner(injector: Running, namespace: "Namespace") -> None:
    shop = Shop(namespace)
    shop.profile()
    template = pod("100m", "8Mi")
    template["metadata"] = {"labels": {"app": "small", names.INJECT: "true"}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "small"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "small"}}, "template": template},
    }
    namespace.apply(json.dumps(deployment))

    def told() -> Any:
        events = namespace.core.list_namespaced_event(namespace.name).items
        found = [event for event in events if event.reason == names.EVENT_SKIPPED]
        assert found, [event.reason for event in events]
        return found[0]

    event = eventually("the event", told, 60)
    assert event.involved_object.kind == "ReplicaSet"
    assert event.message.startswith(
        f"{names.SKIP_CONTAINER_TOO_SMALL}: container app has a memory limit of 8Mi"
    )
