"""The pytest plugin: a cluster for the session, a namespace for a test, a folder of facts for a failure.

Tests with the mark `cluster` run only when asked for: by `-m cluster` (which `make e2e` gives) or by their
file's name. A cluster that is up is used and stays up; one that the session made is taken down at its end.
"""

import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cluster import images
from cluster.errors import Unsuitable
from cluster.settings import Settings, load
from cluster.ways import Cluster, choose

if TYPE_CHECKING:  # a second of start-up that only tests of this kind shall pay
    from kubernetes import client, dynamic

    from .namespace import Namespace

OUTPUT = Path("test-output") / "e2e"
_FAILED = pytest.StashKey[bool]()
_OUTSIDE = pytest.StashKey[Callable[[], AbstractContextManager[None]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: needs a Kubernetes cluster; runs only when asked for")
    config.addinivalue_line(
        "markers", "smoke: the part of the tests that proves the whole chain, for every change"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("cluster")]
    if "cluster" in config.option.markexpr or all(_named(item, config) for item in marked):
        return
    config.hook.pytest_deselected(items=marked)
    items[:] = [item for item in items if item not in marked]


def _named(item: pytest.Item, config: pytest.Config) -> bool:
    return any(Path(argument.split("::")[0]).name == item.path.name for argument in config.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report: Any = yield
    if report.failed:
        item.stash[_FAILED] = True
        item.session.stash[_FAILED] = True
    return report


@pytest.fixture(scope="session")
def cluster_settings() -> Settings:
    return load()


@pytest.fixture(scope="session")
def cluster(cluster_settings: Settings, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that is up, with this process in its network where that is possible."""
    from .network import entered

    chosen = choose(cluster_settings)
    was_up = chosen.status().up
    try:
        chosen.up(_say)
    except Unsuitable as reason:
        # Where somebody asked for a certain way, that it can't be gone is a failure.
        if cluster_settings.via or (platform.system() == "Linux" and os.geteuid() == 0):
            raise
        pytest.skip(str(reason))
    try:
        if chosen.network:
            with entered(chosen.network) as outside:
                request.session.stash[_OUTSIDE] = outside
                yield chosen
        else:
            request.session.stash[_OUTSIDE] = nullcontext
            yield chosen
    finally:
        if request.session.stash.get(_FAILED, False):
            _keep_logs(chosen)
        if not was_up:
            chosen.down(_say)


@pytest.fixture(scope="session")
def kubernetes_api(cluster: Cluster) -> Iterator["client.ApiClient"]:
    """The official client, as the administrator."""
    from kubernetes import config

    with config.new_client_from_config(str(cluster.kubeconfig)) as api:
        yield api


@pytest.fixture(scope="session")
def kubernetes_resources(
    kubernetes_api: "client.ApiClient", tmp_path_factory: pytest.TempPathFactory
) -> "dynamic.DynamicClient":
    """The official client for resources of any kind."""
    from kubernetes import dynamic

    # The library's own place for what it has discovered outlives clusters.
    return dynamic.DynamicClient(
        kubernetes_api, cache_file=str(tmp_path_factory.mktemp("discovery") / "resources.json")
    )


@pytest.fixture(scope="session")
def image(
    cluster: Cluster, cluster_settings: Settings, request: pytest.FixtureRequest
) -> Callable[[str], str]:
    """Make an image of `images.CATALOGUE` known to the cluster and return its reference."""
    provided: dict[str, str] = {}

    def provide(name: str) -> str:
        if name not in provided:
            # A build needs the package servers, which the cluster's network has no way to.
            with request.session.stash[_OUTSIDE]():
                provided[name] = images.provide(cluster, cluster_settings, name, _say)
        return provided[name]

    return provide


@pytest.fixture(scope="session")
def helm(cluster: Cluster, request: pytest.FixtureRequest) -> list[str]:
    """Helm's command, built at its first use with the local way."""
    with request.session.stash[_OUTSIDE]():
        return cluster.helm


@pytest.fixture(scope="session")
def outside(cluster: Cluster, request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    """The machine's own network, for what asks servers of packages: the cluster's has no way to them."""
    return request.session.stash[_OUTSIDE]


@pytest.fixture
def namespace(
    cluster: Cluster,
    kubernetes_api: "client.ApiClient",
    kubernetes_resources: "dynamic.DynamicClient",
    request: pytest.FixtureRequest,
) -> Iterator["Namespace"]:
    """A namespace of this test's own; what was in it is kept in a folder where the test fails."""
    from . import diagnostics
    from .namespace import fresh

    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    with fresh(
        f"e2e-{words[:40].strip('-')}-{secrets.token_hex(3)}", cluster, kubernetes_api, kubernetes_resources
    ) as made:
        yield made
        if request.node.stash.get(_FAILED, False):
            folder = request.config.rootpath / OUTPUT / words
            diagnostics.collect(cluster, made.name, folder)
            _say(f"what the cluster knows of this failure is in {folder}")


def _keep_logs(cluster: Cluster) -> None:
    # Only the local way has a node whose files are ours.
    node = getattr(cluster, "node", None)
    if node is not None:
        for log in node.logs.glob("*.log"):
            (OUTPUT / "node").mkdir(parents=True, exist_ok=True)
            shutil.copy(log, OUTPUT / "node" / log.name)


def _say(told: str) -> None:
    print(f"cluster: {told}", file=sys.stderr)
