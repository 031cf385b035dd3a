"""What the controller asks of the cluster and does in it, one method each: `rights.py` lists the rights for them."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

from memwarden_api import names
from memwarden_kube.apply import MANAGER_REMEDIATION, MANAGER_STATUS, apply
from memwarden_kube.client import Client
from memwarden_kube.creation import create
from memwarden_kube.errors import KubeError, NotFound
from memwarden_kube.events import Told, post
from memwarden_kube.eviction import Evicted, evict
from memwarden_kube.lists import Page, get, pages
from memwarden_kube.objects import (
    EVENTS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    PROFILES,
    SNAPSHOTS,
    Object,
    Resource,
)
from memwarden_kube.removal import remove
from memwarden_kube.watch import Followed, follow

CONTROLLER: Final = "memwarden.dev/controller"
"""How our events name who reports them."""
PAGE: Final = 250
"""Of metadata: some 3 kB each as text, several times that when read: it is most of the peak."""
WHOLE_PAGE: Final = 50
"""Whole pods of a page: some 10 kB each as text, several times that when read."""
_ALIVE: Final = "status.phase!=Succeeded,status.phase!=Failed"


class Cluster:
    """Asks through one client; raises KubeError."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._instance = os.environ.get("HOSTNAME", "controller")

    def injected_pods(self, namespace: str, on_error: Callable[[KubeError], None]) -> AsyncIterator[Followed]:
        """Followed by our label alone, whatever else runs in the cluster."""
        return follow(
            self._client, PODS, namespace, labels=names.INJECTED, page_size=WHOLE_PAGE, on_error=on_error
        )

    def pods(self, namespace: str) -> AsyncIterator[Page]:
        """Metadata of all pods that have not ended."""
        return pages(self._client, PODS, namespace, fields=_ALIVE, metadata=True, size=PAGE)

    def plain_pods(self, namespace: str) -> AsyncIterator[Page]:
        """Whole pods without us."""
        return pages(self._client, PODS, namespace, labels=f"!{names.INJECTED}", size=WHOLE_PAGE)

    async def pod(self, namespace: str, name: str) -> Object:
        return await get(self._client, PODS, namespace, name)

    async def namespace_labels(self, namespace: str) -> dict[str, str]:
        """None of a namespace that is gone."""
        try:
            found = await get(self._client, NAMESPACES, "", namespace, metadata=True)
        except NotFound:
            return {}
        labels: dict[str, str] = found["metadata"].get("labels") or {}
        return labels

    async def identity(self) -> str:
        """What tells this cluster from others: the uid of a namespace that each has."""
        found = await get(self._client, NAMESPACES, "", "kube-system", metadata=True)
        return str(found["metadata"]["uid"])

    def namespaces(self) -> AsyncIterator[Page]:
        return pages(self._client, NAMESPACES, metadata=True, size=PAGE)

    def objects(self, resource: Resource, namespace: str) -> AsyncIterator[Page]:
        """Whole objects of one of our kinds."""
        return pages(self._client, resource, namespace, size=100)

    async def metadata(self, resource: Resource, namespace: str, name: str) -> Object:
        return await get(self._client, resource, namespace, name, metadata=True)

    async def whole(self, resource: Resource, namespace: str, name: str) -> Object:
        return await get(self._client, resource, namespace, name)

    def failed_creates(self, namespace: str) -> AsyncIterator[Page]:
        """Events of owners that could not make a pod."""
        return pages(self._client, EVENTS, namespace, fields="reason=FailedCreate", size=100)

    async def egress_policies(self, namespace: str) -> list[Object]:
        """Network policies of a namespace that rule egress."""
        found: list[Object] = []
        async for items, _ in pages(self._client, NETWORK_POLICIES, namespace, size=100):
            found += [
                item for item in items if "Egress" in ((item.get("spec") or {}).get("policyTypes") or ())
            ]
        return found

    async def write_status(
        self, namespace: str, name: str, uid: str, version: str, status: dict[str, Any]
    ) -> Object:
        """The only place where the status of a MemoryProfile is written, and only onto the version that it was made of:
        Conflict where somebody else wrote meanwhile.
        """
        return await apply(
            self._client,
            PROFILES,
            namespace,
            name,
            {"status": status},
            MANAGER_STATUS,
            "status",
            uid,
            version,
        )

    # ── HeapSnapshots ──────────────────────────────────────────────────────────────────────────────────
    async def metadata_of_pod(self, namespace: str, name: str) -> Object:
        return await self.metadata(PODS, namespace, name)

    async def make_snapshot(self, namespace: str, name: str, fields: Object) -> None:
        """One that is there already is well."""
        await create(self._client, SNAPSHOTS, namespace, name, fields)

    async def write_snapshot_status(
        self, namespace: str, name: str, uid: str, version: str, status: dict[str, Any]
    ) -> Object:
        return await apply(
            self._client,
            SNAPSHOTS,
            namespace,
            name,
            {"status": status},
            MANAGER_STATUS,
            "status",
            uid,
            version,
        )

    async def remove_snapshot(self, namespace: str, name: str, uid: str) -> None:
        await remove(self._client, SNAPSHOTS, namespace, name, uid)

    async def restart(
        self, resource: Resource, namespace: str, name: str, uid: str, template: dict[str, Any]
    ) -> None:
        """Set annotations of a workload's pod template: it makes its pods anew by its own strategy."""
        fields = {"spec": {"template": template}}
        await apply(self._client, resource, namespace, name, fields, MANAGER_REMEDIATION, "", uid)

    async def tell(self, told: Told, now: datetime) -> None:
        await post(self._client, told, CONTROLLER, self._instance, now)

    async def evict(self, namespace: str, name: str, uid: str) -> Evicted:
        return await evict(self._client, namespace, name, uid)
