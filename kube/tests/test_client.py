"""Is a cluster found by what a pod or a person has, and does an error name object, cause and next step?"""

import asyncio
import socket
from pathlib import Path

import pytest
from kubernetes.aio.client import CoreV1Api

from memwarden_kube.client import asking, connect
from memwarden_kube.errors import (
    Conflict,
    Forbidden,
    KubeError,
    NotConnected,
    Request,
    TooBusy,
    Unreachable,
    of_answer,
)

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "{server}"}}}}]
users: [{{name: me, user: {{token: some-token}}}}]
"""


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def test_without_a_cluster_it_says_what_to_set() -> None:
    with pytest.raises(NotConnected, match="set KUBECONFIG"):
        asyncio.run(connect())


def test_a_pod_without_a_mounted_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(NotConnected, match="the pod's service account"):
        asyncio.run(connect())


def test_a_kubeconfig_names_server_and_user(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(server="https://192.0.2.1:6443"))

    async def read() -> tuple[str, str]:
        async with await connect(user_agent="memwarden-test") as client:
            return client.configuration.host, client.user_agent

    assert asyncio.run(read()) == ("https://192.0.2.1:6443", "memwarden-test")


def test_an_api_server_that_is_away_is_unreachable_and_named(tmp_path: Path) -> None:
    async def ask() -> None:
        async with await connect() as client:
            with asking("list", "pods", "shop"):
                await CoreV1Api(client).list_namespaced_pod("shop")

    with socket.socket() as taken:  # bound, nobody listens
        taken.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(server=server))
        with pytest.raises(
            Unreachable, match="can't list pods in namespace shop: no answer from the API server"
        ):
            asyncio.run(ask())


def test_a_missing_right_is_named_with_verb_resource_and_namespace() -> None:
    error = of_answer(Request("patch", "deployments.apps", "shop", "cart"), 403, '{"message": "no way"}')
    assert isinstance(error, Forbidden)
    assert "'patch' on 'deployments.apps' in namespace shop" in str(error)
    assert "no way" in str(error)


@pytest.mark.parametrize(
    ("status", "kind"), [(409, Conflict), (429, TooBusy), (503, TooBusy), (418, KubeError), (500, KubeError)]
)
def test_each_answer_has_its_error(status: int, kind: type[KubeError]) -> None:
    error = of_answer(Request("get", "pods"), status, "<html>not JSON", {"Retry-After": "7"})
    assert isinstance(error, kind)
    assert not isinstance(error, TooBusy) or error.retry_seconds == 7
