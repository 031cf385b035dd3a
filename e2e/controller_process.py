"""The controller as a process of the machine, as a service account of the cluster with no more than its rights."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml
from cluster.testing.waiting import eventually
from harness import free_port

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

NAMESPACE = "default"


@contextlib.contextmanager
def account(api: "ApiClient", name: str, rules: Sequence[dict[str, Any]], folder: Path) -> Iterator[Path]:
    """A kubeconfig of a new service account that has these rights in the whole cluster."""
    from kubernetes import client

    core, rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
    core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": name}})
    rbac.create_cluster_role({"metadata": {"name": name}, "rules": list(rules)})
    rbac.create_cluster_role_binding(
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        }
    )
    token = core.create_namespaced_service_account_token(
        name, NAMESPACE, {"spec": {"expirationSeconds": 3600}}
    )
    path = folder / f"{name}.kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "clusters": [
                    {
                        "name": "x",
                        "cluster": {
                            "server": api.configuration.host,
                            "certificate-authority": api.configuration.ssl_ca_cert,
                        },
                    }
                ],
                "users": [{"name": "x", "user": {"token": token.status.token}}],
            }
        )
    )
    try:
        yield path
    finally:
        rbac.delete_cluster_role_binding(name)
        rbac.delete_cluster_role(name)
        core.delete_namespaced_service_account(name, NAMESPACE)


class Controller:
    """`memwarden-operator controller`, impatient: it looks every few seconds, and writes as often."""

    def __init__(self, folder: Path, kubeconfig: Path, collector: str, *options: str) -> None:
        self.log = folder / "controller.log"
        self._address = f"127.0.0.1:{free_port()}"
        self._command = [
            *(sys.executable, "-m", "memwarden_operator", "controller"),
            *("--kubeconfig", str(kubeconfig), "--collector-url", collector, "--listen", self._address),
            *("--scan-seconds", "2", "--status-seconds", "2"),
            *options,
        ]
        self.start()

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stderr=log, env=environment)

    def wait_ready(self) -> None:
        eventually("the controller to be ready", lambda: self.answers("/readyz"), 120)

    def answers(self, path: str) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://{self._address}{path}", trust_env=False).status_code == 200
        return False

    def metrics(self) -> str:
        return httpx.get(f"http://{self._address}/metrics", trust_env=False).text

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)
