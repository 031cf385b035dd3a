"""The loop of HeapSnapshots: each is seen through, from the pod that is chosen to its end.

1. Which pod: written into the status before anything is asked for.
2. The collector is asked again and again by the object's uid, until it says that it is over.
3. When its time is over, the object goes. The data go with it, and by themselves at the same time.
4. Data whose object went while nobody looked are looked for (`orphans`).

Nothing is kept that can't be had again.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_api.evidence import EvidenceRequest
from memwarden_api.quantities import duration_seconds
from memwarden_api.v1alpha1.heap_snapshot import HeapSnapshotStatus
from memwarden_kube.errors import Conflict, KubeError, NotFound
from memwarden_kube.objects import Object
from memwarden_operator.controller import metrics
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.collector import CollectorDoor
from memwarden_operator.controller.errors import CollectorAway, CollectorError
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.world import World
from memwarden_operator.snapshots import status, target
from memwarden_operator.snapshots.known import Key, KnownSnapshot, read
from memwarden_operator.snapshots.orphans import Orphans
from memwarden_operator.snapshots.target import NoTarget, Target

BUSY_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 15.0
TAKES_SECONDS: Final = 60.0
"""So long the collector lets the sidecar take."""
GIVE_UP: Final = timedelta(minutes=10)
"""A collector that is away for so long has it fail."""
OWNERS_KNOWN: Final = timedelta(seconds=30)
"""By then the owners of all pods have been asked for."""
_log = logging.getLogger(__name__)


class SnapshotLoop:
    """`put` and `gone` tell it of HeapSnapshots; `run` never ends by itself. `changed`: a namespace has one that is
    over.
    """

    def __init__(
        self,
        world: World,
        cluster: Cluster,
        door: CollectorDoor,
        heart: Heart,
        changed: Callable[[str], None],
        now: Callable[[], datetime],
        orphans: Orphans,
    ) -> None:
        self._world = world
        self._cluster = cluster
        self._door = door
        self._heart = heart
        self._changed = changed
        self._now = now
        self._orphans = orphans
        self._forgotten: set[str] = set()
        self._wake = asyncio.Event()

    def put(self, found: Object) -> None:
        known = read(found)
        before = self._world.snapshots.put(known)
        if before is None or before.uid != known.uid:
            self._wake.set()
        if known.is_over and (before is None or not before.is_over):
            self._changed(known.key[0])

    def gone(self, key: Key) -> None:
        known = self._world.snapshots.remove(key)
        if known is not None:
            self._forgotten.add(known.uid)
            self._wake.set()

    async def run(self) -> None:
        while True:
            self._heart.beat("snapshots")
            self._wake.clear()
            try:
                await self._round()
            except CollectorError as error:
                metrics.ERRORS.labels("snapshots", type(error).__name__).inc()
                _log.warning("%s", error)
            self._count()
            is_busy = any(not one.is_over for one in self._world.snapshots) or self._forgotten
            try:
                await asyncio.wait_for(self._wake.wait(), BUSY_SECONDS if is_busy else IDLE_SECONDS)
            except TimeoutError:
                continue

    def _count(self) -> None:
        metrics.SNAPSHOTS.clear()
        for one in self._world.snapshots:
            metrics.SNAPSHOTS.labels(one.snapshot.status.phase).inc()

    async def _round(self) -> None:
        """Raises CollectorError: who comes after the one for which it was away waits for the next round."""
        for known in self._world.snapshots:
            self._heart.beat("snapshots")
            try:
                await self._one(known)
            except (NotFound, Conflict):
                continue  # it went, or somebody else wrote: the watch says so
            except KubeError as error:
                metrics.ERRORS.labels("snapshots", type(error).__name__).inc()
                _log.warning("heapsnapshot %s/%s: %s", *known.key, error)
        for uid in sorted(self._forgotten):
            await self._door.forget_evidence(uid)
            self._forgotten.discard(uid)
        try:
            await self._orphans.look()
        except (KubeError, CollectorError) as error:
            metrics.ERRORS.labels("snapshots", type(error).__name__).inc()
            _log.warning("whether evidence is kept whose HeapSnapshot is gone: %s", error)

    async def _one(self, known: KnownSnapshot) -> None:
        now, of = self._now(), known.snapshot
        if known.is_over:
            if of.status.expires_at is not None and of.status.expires_at <= now:
                await self._cluster.remove_snapshot(*known.key, known.uid)
        elif known.stalled:
            await self._write(
                known, status.refused(of, NoTarget(names.CAPTURE_UNREADABLE, known.stalled), now)
            )
        elif not of.status.pod_uid:
            await self._choose(known, now)
        else:
            await self._go_on(known, now)

    async def _choose(self, known: KnownSnapshot, now: datetime) -> None:
        if not self._world.pods_listed:
            return  # a pod that is not known yet is not gone
        found = await self._target(known, now)
        if isinstance(found, Target):
            await self._write(known, status.chosen(known.snapshot, found, now))
        elif found is not None:
            await self._write(known, status.refused(known.snapshot, found, now))

    async def _target(self, known: KnownSnapshot, now: datetime) -> Target | NoTarget | None:
        """None: it is not known yet."""
        namespace, spec = known.key[0], known.snapshot.spec
        verdicts = tuple(self._world.verdicts.of(namespace))
        if spec.pod is not None:
            pod = self._world.pods.get(namespace, spec.pod)
            return (
                target.of_pod(spec, pod, verdicts)
                if pod is not None
                else await self._not_injected(known, spec.pod)
            )
        assert spec.workload is not None  # one of the two is given
        pods = self._world.pods.in_namespace(namespace)
        owners = self._world.owned(pods)
        workload = Workload(namespace, spec.workload.kind, spec.workload.name)
        found = target.of_workload(spec, workload, pods, owners, verdicts)
        is_early = len(owners) < len(pods) and now - known.created_at < OWNERS_KNOWN
        return None if isinstance(found, NoTarget) and is_early else found

    async def _not_injected(self, known: KnownSnapshot, pod: str) -> NoTarget:
        namespace = known.key[0]
        try:
            await self._cluster.metadata_of_pod(namespace, pod)
        except NotFound:
            return NoTarget(names.CAPTURE_POD_NOT_FOUND, f"there is no pod {pod} in namespace {namespace}")
        text = f"pod {pod} is not watched by Memwarden; why: status.coverage.skipped of its MemoryProfile"
        return NoTarget(names.CAPTURE_NOT_INJECTED, text)

    async def _go_on(self, known: KnownSnapshot, now: datetime) -> None:
        """Raises CollectorAway, once it has written that down."""
        of, about = known.snapshot, known.snapshot.status
        wanted = EvidenceRequest(
            namespace=of.metadata.namespace,
            pod=about.pod,
            pod_uid=about.pod_uid,
            container=about.container,
            pid=of.spec.process,
            kinds=of.spec.kinds,
            keep_seconds=duration_seconds(of.spec.ttl),
            wait_seconds=TAKES_SECONDS,
        )
        try:
            found = await self._door.capture(known.uid, wanted, await self._orphans.identity())
        except CollectorError as error:
            await self._write(known, self._away(known, error, now))
            raise
        await self._write(known, status.told(of, found, now))

    def _away(self, known: KnownSnapshot, error: CollectorError, now: datetime) -> HeapSnapshotStatus:
        of = known.snapshot
        is_late = of.status.started_at is not None and now - of.status.started_at > GIVE_UP
        if not isinstance(error, CollectorAway):
            return status.said(of, "Failed", names.CAPTURE_NOT_TAKEN, str(error), now)
        if is_late:
            return status.said(of, "Failed", names.CAPTURE_LATE, str(error), now)
        text = "the collector does not answer; it is asked again"
        return status.said(of, "Capturing", names.CAPTURE_NO_COLLECTOR, text, now)

    async def _write(self, known: KnownSnapshot, after: HeapSnapshotStatus) -> None:
        """The only place where the status of a HeapSnapshot is written, onto the version that it was made of."""
        of = known.snapshot
        if after == of.status:
            return
        answer = await self._cluster.write_snapshot_status(
            *known.key, known.uid, of.metadata.resource_version, after.to_cluster()
        )
        if self._world.snapshots.get(known.key) is not None:
            self.put(answer)
