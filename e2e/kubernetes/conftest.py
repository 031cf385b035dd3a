"""Memwarden in the test cluster, installed by its charts."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster.local import binaries
from cluster.lock import alone
from controller_process import Controller, account
from injected_pods import Pods
from installation import NAMESPACE, Installation
from kinds_served import served
from remediated import Injector

from memwarden_operator.controller.rights import cluster_role

sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "tests"))

from collector_processes import Collector, Server

if TYPE_CHECKING:
    from cluster.settings import Settings
    from cluster.testing.namespace import Namespace
    from kubernetes.client import ApiClient


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the release comes after what must be alone: so it is installed once, and goes with the session."""
    here = Path(__file__).parent

    def needs_it(item: pytest.Item) -> bool:
        return item.path.is_relative_to(here) and "installed" in getattr(item, "fixturenames", ())

    items.sort(key=needs_it)


@pytest.fixture(scope="session")
def release(
    helm: list[str], image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The release, or what a test has left of it. It goes with the session, unless it was there before."""
    made = Installation(helm, image, tmp_path_factory.mktemp("installation"))
    was_there = made.is_there()
    yield made
    if not was_there:
        made.remove_all()


@pytest.fixture(scope="session")
def prometheus_operator(
    outside: Callable[[], AbstractContextManager[None]], cluster_settings: "Settings"
) -> Path:
    """Where the Prometheus operator, its config-reloader and its kinds are, built."""
    with outside(), alone(cluster_settings.cache, print):
        return binaries.build_prometheus_operator(cluster_settings, print)


@pytest.fixture
def installed(release: Installation) -> Installation:
    """A release that is there and ready."""
    release.ensure()
    return release


@pytest.fixture
def may_act(installed: Installation) -> Iterator[None]:
    """The release obeys what asks for restarts, as docs/guide/remediation.md has it switched on."""
    installed.install(rbac={"remediation": True, "snapshots": True})
    yield
    installed.install()


@pytest.fixture
def system(installed: Installation, namespace: "Namespace") -> "Namespace":
    """The namespace of the release, to look into."""
    return replace(namespace, name=NAMESPACE)


@pytest.fixture
def watched(installed: Installation, namespace: "Namespace") -> "Namespace":
    """A namespace of this test's own that is open to the injector and admits `restricted` pods only."""
    labels = {"memwarden.dev/inject": "true", "pod-security.kubernetes.io/enforce": "restricted"}
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": labels}})
    return namespace


@pytest.fixture
def pods(watched: "Namespace", image: Callable[[str], str]) -> Pods:
    made = Pods(watched, image("python-3.11"))
    made.injectable()
    return made


@pytest.fixture(scope="module")
def kind(kubernetes_api: "ApiClient", release: Installation) -> Iterator[None]:
    """Our kinds without a release, whose controller would answer for the test's own."""
    if release.is_there():
        release.remove_all()
    with served(kubernetes_api):
        yield


# ── Controller and collector as processes beside the cluster ───────────────────────────────────────────
@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("beside")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("mwk"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def collector(folder: Path, database: Server) -> Iterator[Collector]:
    running = Collector(folder, database.url(), "--judge-min-seconds", "1")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def kubeconfig(kubernetes_api: "ApiClient", folder: Path, kind: None) -> Iterator[Path]:
    """Of an account that has the controller's rights and no other."""
    with account(kubernetes_api, "memwarden-test-controller", cluster_role()["rules"], folder) as path:
        yield path


@pytest.fixture
def injector() -> Iterator[Injector]:
    page = Injector()
    yield page
    page.stop()


@pytest.fixture
def start(
    tmp_path: Path, kubeconfig: Path, collector: Collector, injector: Injector, namespace: "Namespace"
) -> Iterator[Callable[..., Controller]]:
    """Starts a controller of this test's namespace; all end with the test, without a stack in their logs."""
    started: list[Controller] = []

    def begin(*options: str) -> Controller:
        place = tmp_path / f"controller-{len(started)}"
        place.mkdir()
        one = Controller(
            place, kubeconfig, collector.url, "--namespaces", namespace.name, "--remediation", "true",
            "--injector-url", injector.url, *options,
        )  # fmt: skip
        started.append(one)
        one.wait_ready()
        return one

    yield begin
    for one in started:
        one.stop()
        assert "Traceback" not in one.log.read_text(), one.log.read_text()
