"""Our kinds in a cluster for as long as a test needs them, without a release."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cluster.testing.waiting import eventually

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


@contextmanager
def served(api: "ApiClient") -> Iterator[None]:
    """All of them. One that a chart has brought is used and stays."""
    from kubernetes import client

    from memwarden_api.generate.definition import definition
    from memwarden_api.generate.kinds import KINDS

    extensions = client.ApiextensionsV1Api(api)

    def known() -> set[str]:
        return {one.metadata.name for one in extensions.list_custom_resource_definition().items}

    def is_served(name: str) -> bool:
        conditions = extensions.read_custom_resource_definition(name).status.conditions or ()
        states = {one.type: one.status for one in conditions}
        assert states.get("NonStructuralSchema") != "True", conditions
        return states.get("Established") == "True"

    definitions = {made["metadata"]["name"]: made for kind in KINDS for made in [definition(kind, {})]}
    ours = set(definitions) - known()
    for name in sorted(ours):
        extensions.create_custom_resource_definition(definitions[name])
    eventually("the kinds to be served", lambda: all(is_served(name) for name in definitions), 60)
    yield
    for name in sorted(ours):
        extensions.delete_custom_resource_definition(name)
    eventually("the kinds to be gone", lambda: not ours & known(), 60)
