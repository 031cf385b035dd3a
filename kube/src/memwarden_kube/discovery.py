"""Which kinds of others the cluster has."""

from collections.abc import Sequence

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import call
from memwarden_kube.errors import NotFound, Request
from memwarden_kube.objects import Resource

__all__ = ["served"]


async def served(client: ApiClient, resources: Sequence[Resource]) -> frozenset[Resource]:
    """Those of them that are; everybody who is let in may ask for this."""
    found: set[Resource] = set()
    for version in sorted({one.api_version for one in resources}):
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            listed = await call(client, "GET", path, Request("get", f"API group {version}"))
        except NotFound:
            continue
        there = {one.get("name") for one in listed.get("resources") or ()}
        found |= {one for one in resources if one.api_version == version and one.plural in there}
    return frozenset(found)
