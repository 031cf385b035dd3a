"""Memwarden in the test cluster, installed by its charts."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from cluster.testing.waiting import eventually
from installation import Installation

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace
    from kubernetes.client import ApiClient


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


@pytest.fixture
def installed(release: Installation) -> Installation:
    """A release that is there and ready."""
    release.ensure()
    return release


@pytest.fixture
def watched(installed: Installation, namespace: "Namespace") -> "Namespace":
    """A namespace of this test's own that is open to the injector and admits `restricted` pods only."""
    labels = {"memwarden.dev/inject": "true", "pod-security.kubernetes.io/enforce": "restricted"}
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": labels}})
    return namespace


@pytest.fixture(scope="module")
def kind(kubernetes_api: "ApiClient") -> Iterator[None]:
    """The kind MemoryProfile without a release. One that a chart has brought is used and stays."""
    from kubernetes import client

    from memwarden_api.generate.definition import memory_profile

    definition = memory_profile({})
    name = definition["metadata"]["name"]
    extensions = client.ApiextensionsV1Api(kubernetes_api)

    def known() -> bool:
        return name in [one.metadata.name for one in extensions.list_custom_resource_definition().items]

    def is_served() -> bool:
        conditions = extensions.read_custom_resource_definition(name).status.conditions or ()
        states = {one.type: one.status for one in conditions}
        assert states.get("NonStructuralSchema") != "True", conditions
        return states.get("Established") == "True"

    brought = known()
    if not brought:
        extensions.create_custom_resource_definition(definition)
    eventually("the kind to be served", is_served, 60)
    yield
    if not brought:
        extensions.delete_custom_resource_definition(name)
        eventually("the kind to be gone", lambda: not known(), 60)
