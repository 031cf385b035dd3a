"""Evidence whose HeapSnapshot is gone: deleted while no controller looked. It goes too.

Nothing is taken for gone that may be there:
1. First the collector is asked what it has, then the API server for all objects. Evidence is only ever begun for an
   object that is there, so what the first names and the second doesn't was deleted. What can't be read whole ends the
   look.
2. Only evidence of this very cluster: what others have asked the collector for is theirs.
3. It has to be so for `GRACE`, look after look.
4. What a decision names stays until its time is over.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from memwarden_kube.errors import Forbidden, KubeError
from memwarden_kube.objects import SNAPSHOTS
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.collector import CollectorDoor

LOOK_EVERY: Final = timedelta(minutes=10)
GRACE: Final = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Orphans:
    """`namespaces`: those that the controller may look at; none: all."""

    def __init__(
        self, cluster: Cluster, door: CollectorDoor, namespaces: Sequence[str], now: Callable[[], datetime]
    ) -> None:
        self._cluster = cluster
        self._door = door
        self._namespaces = tuple(namespaces) or ("",)
        self._now = now
        self._looked: datetime | None = None
        self._since: dict[str, datetime] = {}
        self._identity: str | None = None

    async def identity(self) -> str:
        """Of the cluster; "" where that is not to be had, now or ever."""
        if self._identity is None:
            try:
                self._identity = await self._cluster.identity()
            except Forbidden as error:
                _log.warning("evidence whose HeapSnapshot is gone stays until its time is over: %s", error)
                self._identity = ""
            except KubeError:
                return ""
        return self._identity

    async def look(self) -> None:
        """Where it is time. Raises CollectorError and KubeError."""
        now = self._now()
        if self._looked is not None and now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        if not (ours := await self.identity()):
            return
        gone = await self._kept(ours) - await self._there()
        self._since = {uid: self._since.get(uid, now) for uid in gone}
        for uid in sorted(uid for uid, since in self._since.items() if now - since >= GRACE):
            await self._door.forget_evidence(uid, keep_decided=True)

    async def _kept(self, ours: str) -> set[str]:
        kept = [one for namespace in self._namespaces for one in await self._door.evidence(namespace)]
        return {one.id for one in kept if one.cluster == ours}

    async def _there(self) -> set[str]:
        found: set[str] = set()
        for namespace in self._namespaces:
            async for objects, _ in self._cluster.objects(SNAPSHOTS, namespace):
                found |= {one["metadata"]["uid"] for one in objects}
        return found
