"""`memwarden-operator certificates` at a real API server, with the rights that the chart gives it and no more."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = pytest.mark.cluster

# As the chart has it: Secrets that are there, empty; none may be created.
OBJECTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: writer}
---
apiVersion: v1
kind: Secret
metadata: {name: authority}
type: Opaque
---
apiVersion: v1
kind: Secret
metadata: {name: injector-tls}
type: Opaque
---
apiVersion: v1
kind: Secret
metadata: {name: collector-tls}
type: Opaque
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: writer}
rules:
  - apiGroups: [""]
    resources: [secrets]
    resourceNames: [authority, injector-tls, collector-tls]
    verbs: [get, update]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: writer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: writer}
subjects: [{kind: ServiceAccount, name: writer}]
"""


class Writer:
    """Runs the command as the account `writer`."""

    def __init__(self, namespace: "Namespace", folder: Path) -> None:
        self.namespace = namespace
        namespace.apply(OBJECTS)
        token = namespace.core.create_namespaced_service_account_token("writer", namespace.name, {"spec": {}})
        (folder / "token").write_text(token.status.token)
        told = yaml.safe_load(namespace.cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = told.get("certificate-authority-data")
        pem = base64.b64decode(authority) if authority else Path(told["certificate-authority"]).read_bytes()
        (folder / "ca.crt").write_bytes(pem)
        assert urlsplit(told["server"]).scheme == "https"
        self._access = [
            f"--api-server={told['server']}",
            f"--api-token-file={folder / 'token'}",
            f"--api-ca-file={folder / 'ca.crt'}",
        ]

    def run(self, secret: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "memwarden_operator", "certificates", *self._access, *more]
        command += [f"--namespace={self.namespace.name}", "--ca-secret=authority", f"--secret={secret}"]
        return subprocess.run([*command, "--names=memwarden"], capture_output=True, text=True, timeout=120)

    def secret(self, name: str) -> dict[str, str]:
        data = self.namespace.read("Secret", name).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_empty_secrets_are_filled_once_and_two_servers_have_one_authority(
    namespace: "Namespace", tmp_path: Path
) -> None:
    writer = Writer(namespace, tmp_path)
    for secret in ("injector-tls", "collector-tls"):
        done = writer.run(secret)
        assert done.returncode == 0, done.stderr
    injector, collector = writer.secret("injector-tls"), writer.secret("collector-tls")
    assert injector["ca.crt"] == collector["ca.crt"]
    assert injector["tls.key"] != collector["tls.key"]
    assert writer.secret("authority")["tls.key"] not in json.dumps([injector, collector])
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", write(tmp_path / "bundle", injector["ca.crt"]),
         write(tmp_path / "leaf", collector["tls.crt"])],
        capture_output=True, text=True,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    # Again: nothing is due, nothing is written.
    versions = [version(namespace, name) for name in ("authority", "injector-tls", "collector-tls")]
    assert writer.run("injector-tls").returncode == 0
    assert [version(namespace, name) for name in ("authority", "injector-tls", "collector-tls")] == versions


def test_a_right_that_lacks_is_named(namespace: "Namespace", tmp_path: Path) -> None:
    writer = Writer(namespace, tmp_path)
    done = writer.run("another")
    assert done.returncode == 125
    assert "secrets/another" in done.stderr
    assert "403" in done.stderr
    done = writer.run("injector-tls", "--webhook=memwarden")
    assert done.returncode == 125
    assert "mutatingwebhookconfigurations/memwarden" in done.stderr


def version(namespace: "Namespace", name: str) -> Any:
    return namespace.read("Secret", name)["metadata"]["resourceVersion"]


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)
