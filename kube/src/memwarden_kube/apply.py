"""Server-side apply: we own the fields that we send, and nothing else of the object.

Field managers are names that other tools rely on: `memwarden-controller` for what the controller makes,
`memwarden-status` for the status of our own kinds, `memwarden-remediation` for restarts of other people's workloads.
"""

from typing import Final

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import call
from memwarden_kube.errors import Request
from memwarden_kube.objects import Object, Resource

__all__ = ["MANAGER_CONTROLLER", "MANAGER_REMEDIATION", "MANAGER_STATUS", "apply"]

MANAGER_CONTROLLER: Final = "memwarden-controller"
MANAGER_STATUS: Final = "memwarden-status"
MANAGER_REMEDIATION: Final = "memwarden-remediation"
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML


async def apply(
    client: ApiClient,
    resource: Resource,
    namespace: str,
    name: str,
    fields: Object,
    manager: str,
    subresource: str = "",
    uid: str = "",
    version: str = "",
) -> Object:
    """Apply `fields` (spec, status, …). With `uid`, only to that very object: Conflict where it was made anew.
    With `version` (resourceVersion), only while nobody else wrote it: Conflict where somebody did.

    Fields of other managers that we send too become ours: our kinds' status has no other writer.
    """
    only = {"uid": uid, "resourceVersion": version}
    metadata = {"name": name, "namespace": namespace} | {key: value for key, value in only.items() if value}
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}
    return await call(
        client,
        "PATCH",
        resource.path(namespace, name, subresource),
        Request("patch", resource.named(subresource), namespace, name),
        query={"fieldManager": manager, "force": "true"},
        body=body,
        content_type=_APPLY,
    )
