"""Making an object whose name says what it is: that it is there already is well, somebody made it before."""

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import call
from memwarden_kube.errors import Conflict, Request
from memwarden_kube.objects import Object, Resource

__all__ = ["create"]


async def create(client: ApiClient, resource: Resource, namespace: str, name: str, fields: Object) -> None:
    """With `fields` (spec, …) and a metadata of its own; one that is there is left as it is."""
    metadata = {"name": name, "namespace": namespace} | (fields.get("metadata") or {})
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **fields, "metadata": metadata}
    try:
        await call(
            client,
            "POST",
            resource.path(namespace),
            Request("create", resource.named(), namespace, name),
            body=body,
        )
    except Conflict:
        return
