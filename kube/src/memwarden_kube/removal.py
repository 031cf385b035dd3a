"""Removing objects of our own making; of others, nothing is ever deleted."""

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import call
from memwarden_kube.errors import NotFound, Request
from memwarden_kube.objects import Resource

__all__ = ["remove"]


async def remove(client: ApiClient, resource: Resource, namespace: str, name: str, uid: str) -> None:
    """That very object and no other of its name: Conflict where it was made anew. One that is gone is well."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    request = Request("delete", resource.named(), namespace, name)
    try:
        await call(client, "DELETE", resource.path(namespace, name), request, body=body)
    except NotFound:
        return
