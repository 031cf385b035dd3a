"""Writes the objects of a policy into the cluster, and removes what it no longer becomes. Raises KubeError."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_api.v1alpha1.alert_policy_status import Generated
from memwarden_kube.apply import MANAGER_CONTROLLER, MANAGER_STATUS, apply
from memwarden_kube.client import Client
from memwarden_kube.discovery import served
from memwarden_kube.errors import NotFound
from memwarden_kube.lists import get, pages
from memwarden_kube.objects import (
    ALERT_POLICIES,
    ALERTMANAGER_CONFIGS,
    ALERTMANAGERS,
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    PROMETHEUS_RULES,
    PROMETHEUSES,
    Object,
    Resource,
)
from memwarden_kube.removal import remove
from memwarden_operator.alerts import left_out
from memwarden_operator.alerts.objects import Kinds, Wanted, is_of

_OURS: Final = {one.kind: one for one in (PROMETHEUS_RULES, ALERTMANAGER_CONFIGS, CONFIG_MAPS)}


class Workshop:
    """Asks through one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def kinds(self) -> Kinds:
        found = await served(self._client, (PROMETHEUS_RULES, ALERTMANAGER_CONFIGS))
        return Kinds(rules=PROMETHEUS_RULES in found, routes=ALERTMANAGER_CONFIGS in found)

    async def make(self, policy: MemoryAlertPolicy, objects: Sequence[Wanted]) -> None:
        for one in objects:
            await apply(
                self._client,
                one.resource,
                policy.metadata.namespace,
                one.name,
                one.fields,
                MANAGER_CONTROLLER,
            )

    async def clear(self, policy: MemoryAlertPolicy, left: Sequence[Generated]) -> None:
        """Remove what was made of the policy before, where it is still the policy's."""
        for one in left:
            resource = _OURS.get(one.kind)
            if resource is None:
                continue
            namespace = policy.metadata.namespace
            try:
                found = await get(self._client, resource, namespace, one.name, metadata=True)
            except NotFound:
                continue  # or its kind went
            if is_of(policy, found):
                await remove(self._client, resource, namespace, one.name, found["metadata"]["uid"])

    async def prometheuses(self) -> list[Object]:
        return await self._all(PROMETHEUSES)

    async def alertmanagers(self) -> list[Object]:
        return await self._all(ALERTMANAGERS)

    async def _all(self, resource: Resource) -> list[Object]:
        found: list[Object] = []
        try:
            async for items, _ in pages(self._client, resource, size=100):
                found += items
        except NotFound:
            return []
        return found

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        found = await get(self._client, NAMESPACES, "", namespace, metadata=True)
        labels: dict[str, str] = found["metadata"].get("labels") or {}
        return labels

    async def left_out(self, namespace: str) -> list[Object]:
        """Events in which the Prometheus operator says that it leaves out an object."""
        found: list[Object] = []
        async for items, _ in pages(
            self._client, EVENTS, namespace, fields=f"reason={left_out.REASON}", size=100
        ):
            found += items
        return found

    async def metadata(self, policy: MemoryAlertPolicy, made: Wanted) -> Object:
        return await get(self._client, made.resource, policy.metadata.namespace, made.name, metadata=True)

    async def write_status(self, policy: MemoryAlertPolicy, status: dict[str, Any]) -> Object:
        """The only place where the status of a MemoryAlertPolicy is written."""
        about = policy.metadata
        return await apply(
            self._client,
            ALERT_POLICIES,
            about.namespace,
            about.name,
            {"status": status},
            MANAGER_STATUS,
            "status",
            about.uid,
        )
