"""Reading objects: lists in pages, one object, and metadata alone where that is all that is needed."""

from collections.abc import AsyncIterator
from typing import Final

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import JSON, METADATA, METADATA_LIST, Expired, call
from memwarden_kube.errors import Request
from memwarden_kube.objects import Object, Resource

__all__ = ["Page", "get", "pages"]

Page = tuple[list[Object], str]
"""Objects, and the resource version of the whole list (a watch goes on from it)."""

_RESTARTS: Final = 2


async def pages(
    client: ApiClient,
    resource: Resource,
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
    metadata: bool = False,
    size: int = 500,
) -> AsyncIterator[Page]:
    """All objects, `size` at a time. A list that outlives its snapshot begins anew: an object may come twice.

    With `metadata`, objects have nothing but it (PartialObjectMetadata).
    """
    query = {"limit": str(size)}
    query |= {"labelSelector": labels} if labels else {}
    query |= {"fieldSelector": fields} if fields else {}
    request = Request("list", resource.named(), namespace)
    token, restarts = "", 0
    while True:
        asked = query | ({"continue": token} if token else {})
        try:
            answer = await call(
                client, "GET", resource.path(namespace), request, query=asked, accept=_accept(metadata)
            )
        except Expired:
            if restarts == _RESTARTS:
                raise
            token, restarts = "", restarts + 1
            continue
        about = answer.get("metadata") or {}
        yield answer.get("items") or [], about.get("resourceVersion", "")
        token = about.get("continue") or ""
        if not token:
            return


def _accept(metadata: bool) -> str:
    return METADATA_LIST if metadata else JSON


async def get(
    client: ApiClient, resource: Resource, namespace: str, name: str, *, metadata: bool = False
) -> Object:
    """One object; NotFound where it is none."""
    return await call(
        client,
        "GET",
        resource.path(namespace, name),
        Request("get", resource.named(), namespace, name),
        accept=METADATA if metadata else JSON,
    )
