"""The test cluster can be extended as a real one: by Helm's charts and by webhooks."""

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster.testing.waiting import eventually

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = pytest.mark.cluster

HERE = Path(__file__).parent

WEBHOOK = """
apiVersion: v1
kind: Service
metadata: {name: webhook}
spec: {selector: {app: webhook}, ports: [{port: 443, targetPort: 8443}]}
---
apiVersion: v1
kind: Pod
metadata: {name: webhook, labels: {app: webhook}}
spec:
  terminationGracePeriodSeconds: 0
  volumes:
    - name: files
      secret: {secretName: webhook}
  containers:
    - name: webhook
      image: $image
      command: [python3, /files/webhook.py, /files/certificate.pem, /files/key.pem]
      volumeMounts: [{name: files, mountPath: /files, readOnly: true}]
      readinessProbe: {tcpSocket: {port: 8443}, periodSeconds: 1}
"""

REGISTRATION = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: $namespace}
webhooks:
  - name: label.memwarden.test
    clientConfig: {service: {name: webhook, namespace: $namespace, path: /}, caBundle: $authority}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $namespace}}
    failurePolicy: Fail
    sideEffects: None
    admissionReviewVersions: [v1]
    timeoutSeconds: 5
"""


def test_helm_installs_a_chart_and_removes_it(helm: list[str], namespace: "Namespace") -> None:
    from kubernetes.client.exceptions import ApiException

    helm = [*helm, "--namespace", namespace.name]

    subprocess.run(
        [*helm, "install", "first", HERE / "charts" / "greeting", "--set", "greeting=good day"], check=True
    )
    assert namespace.read("ConfigMap", "first")["data"] == {"greeting": "good day"}

    subprocess.run([*helm, "uninstall", "first"], check=True)
    with pytest.raises(ApiException, match="404"):
        namespace.read("ConfigMap", "first")


@pytest.fixture
def certificate(namespace: "Namespace", tmp_path: Path) -> Path:
    """A folder with a certificate for the webhook's Service, signed by itself, and its key."""
    host = f"webhook.{namespace.name}.svc"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "1",
            ),
            *("-subj", f"/CN={host[:60]}", "-addext", f"subjectAltName=DNS:{host}"),
            *("-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return tmp_path


@pytest.mark.smoke
def test_a_mutating_webhook_in_a_pod_is_called_by_its_service(
    namespace: "Namespace", image: Callable[[str], str], certificate: Path
) -> None:
    from kubernetes import client

    files = {path.name: path.read_text() for path in (*certificate.iterdir(), HERE / "webhook.py")}
    namespace.core.create_namespaced_secret(
        namespace.name, {"metadata": {"name": "webhook"}, "stringData": files}
    )
    namespace.apply(WEBHOOK, image=image("python-3.11"))
    namespace.wait_ready("webhook")
    authority = base64.b64encode(files["certificate.pem"].encode()).decode()

    namespace.apply(REGISTRATION, namespace=namespace.name, authority=authority)
    try:
        # The API server learns of a new webhook a moment later.
        eventually("a pod that the webhook has seen", lambda: labels_given(namespace, image("python-3.11")))
    finally:
        client.AdmissionregistrationV1Api(namespace.api).delete_mutating_webhook_configuration(namespace.name)


def labels_given(namespace: "Namespace", image: str) -> bool:
    # A dry run asks the webhooks and keeps nothing, so that it can be repeated.
    seen = namespace.core.create_namespaced_pod(
        namespace.name,
        {
            "metadata": {"name": "seen"},
            "spec": {"containers": [{"name": "sleep", "image": image, "command": ["sleep", "3600"]}]},
        },
        dry_run="All",
    )
    return seen.metadata.labels == {"seen-by": "webhook"}
