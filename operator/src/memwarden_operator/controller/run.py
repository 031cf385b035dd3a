"""The controller's process: what starts in which order, and how it ends.

1. Connect to the API server, wait for the kind MemoryProfile; others of our kinds are followed where they are.
2. Start the loops: injected pods, scans, the collector's changes, facts for the collector, the reconciler.
3. Kopf follows our kinds until SIGTERM; a list each minute shows whether its watch still lives.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_kube.client import connect
from memwarden_kube.errors import KubeError
from memwarden_kube.objects import ALERT_POLICIES, PROFILES, SNAPSHOTS
from memwarden_operator.alerts.loop import AlertLoop
from memwarden_operator.alerts.monitoring import MonitoringDoor
from memwarden_operator.alerts.workshop import Workshop
from memwarden_operator.controller import handlers, health, metrics
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.collector import CollectorDoor
from memwarden_operator.controller.facts_loop import FactsLoop
from memwarden_operator.controller.following import Following, KindLoop
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.loops import ChangesLoop, PodLoop, ScanLoop, Troubles, guarded
from memwarden_operator.controller.owners import Owners
from memwarden_operator.controller.profiles import Key, Known, read
from memwarden_operator.controller.scan import Scanner
from memwarden_operator.controller.settings import Settings
from memwarden_operator.controller.worker import Worker
from memwarden_operator.controller.world import World
from memwarden_operator.remediation.acting import Remedies
from memwarden_operator.snapshots.loop import SnapshotLoop
from memwarden_operator.snapshots.orphans import Orphans

_log = logging.getLogger(__name__)


def now() -> datetime:
    return datetime.now(UTC)


async def run(settings: Settings) -> None:
    """Until a signal. Raises NotConnected where no cluster is named."""
    this = asyncio.current_task()
    assert this is not None
    # Until Kopf takes the signals over: as a container's first process it would not be ended by them otherwise.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            await connect(settings.kubeconfig, user_agent="memwarden-controller")
        )
        door = await stack.enter_async_context(CollectorDoor(settings))
        monitoring = await stack.enter_async_context(
            MonitoringDoor(
                settings.prometheus_url,
                settings.alertmanager_url,
                settings.prometheus_credentials,
                settings.alertmanager_credentials,
            )
        )
        controller = Controller(settings, Cluster(client), door, Workshop(client), monitoring)
        runner = await health.serve(settings.address, controller.heart, controller.missing)
        stack.push_async_callback(runner.cleanup)
        tasks = [asyncio.create_task(guarded(name, loop), name=name) for name, loop in controller.loops()]
        try:
            kinds = await controller.kinds_that_are_there()
            await _kopf(settings, handlers.registry_for(client, kinds))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _kopf(settings: Settings, registry: kopf.OperatorRegistry) -> None:
    where: dict[str, Any] = (
        {"namespaces": settings.namespaces} if settings.namespaces else {"clusterwide": True}
    )
    await kopf.operator(
        registry=registry, settings=handlers.operator_settings(), standalone=True, memo=None, **where
    )


class Controller:
    """Loops and world, put together."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        door: CollectorDoor,
        workshop: Workshop,
        monitoring: MonitoringDoor,
    ) -> None:
        self.heart = Heart()
        self._settings = settings
        self._cluster = cluster
        self.world = World(Owners(cluster.metadata), settings.collector_address)
        self.world.pods.limit = settings.max_pods
        scanner = Scanner(cluster, self.world.owners)
        remedies = Remedies(self.world, cluster, settings)
        self._worker = Worker(self.world, cluster, scanner, remedies, settings, self.heart, now)
        troubles = Troubles(self.world, self._worker)
        self._facts = FactsLoop(self.world, door, self._worker, self.heart, troubles, now)
        self._pods = PodLoop(self.world, cluster, self._worker, self.heart, troubles, self._facts.changed)
        self._scans = ScanLoop(
            self.world,
            cluster,
            scanner,
            self._worker,
            settings,
            self.heart,
            troubles,
            self._facts.scanned,
            now,
        )
        self._changes = ChangesLoop(
            self.world,
            door,
            self._worker,
            self.heart,
            troubles,
            self._facts.everything,
            self._facts.heard,
            now,
        )
        patience = timedelta(seconds=settings.alert_patience_seconds)
        self._alerts = AlertLoop(
            workshop,
            monitoring,
            settings.labels_of_alerts,
            patience,
            self.heart,
            now,
            door.tell_alerts,
            self._profiles_of,
        )
        self.heart.expect("alerts")
        self._snapshots = SnapshotLoop(
            self.world,
            cluster,
            door,
            self.heart,
            self._worker.namespace_soon,
            now,
            Orphans(cluster, door, settings.namespaces, now),
        )
        self.heart.expect("snapshots")
        self._unlisted = set(settings.namespaces or ("",))
        self._kinds = [
            KindLoop(following, cluster, settings.namespaces, self.heart, troubles)
            for following in self._followings()
        ]
        for kind in self._kinds[1:]:
            self.heart.expect(kind.following.name)

    def _profiles_of(self, namespace: str) -> list[MemoryProfile]:
        return [known.profile for known in self.world.profiles.in_namespace(namespace)]

    def _followings(self) -> list[Following]:
        """The kinds that are looked after, MemoryProfile first."""
        profiles = self.world.profiles
        return [
            Following(
                "profiles", PROFILES, lambda found: self.put(read(found)), self.gone, profiles.generations
            ),
            Following(
                "alert policies",
                ALERT_POLICIES,
                self._alerts.put,
                self._alerts.gone,
                self._alerts.generations,
            ),
            Following(
                "heap snapshots",
                SNAPSHOTS,
                self._snapshots.put,
                self._snapshots.gone,
                self.world.snapshots.generations,
            ),
        ]

    def loops(self) -> list[tuple[str, Any]]:
        """By name; each is started anew where it fails."""
        pods = [("pods", self._pods_of(namespace)) for namespace in self._settings.namespaces or ("",)]
        return [
            *pods,
            *((kind.following.name, kind.run) for kind in self._kinds),
            ("scan", self._scans.run),
            ("changes", self._changes.run),
            ("facts", self._facts.run),
            ("reconcile", self._worker.run),
            ("alerts", self._alerts.run),
            ("snapshots", self._snapshots.run),
        ]

    def _pods_of(self, namespace: str) -> Any:
        def listed() -> None:
            self._unlisted.discard(namespace)
            self.world.pods_listed = not self._unlisted

        def follow() -> Coroutine[Any, Any, None]:
            return self._pods.run(namespace, listed)

        return follow

    # ── MemoryProfiles, as they are told ───────────────────────────────────────────────────────────────
    def put(self, known: Known) -> None:
        before = self.world.profiles.get(known.key)
        self.world.profiles.put(known)
        metrics.PROFILES.set(len(self.world.profiles))
        generation = known.profile.metadata.generation
        if before is None or before.profile.metadata.generation != generation:
            self._scans.soon(known.key[0])
            self._worker.soon(known.key, 5.0)  # the look over its pods calls sooner: one status, not two
        elif before.profile.status != known.profile.status:
            self._worker.soon(known.key)

    def gone(self, key: Key) -> None:
        if self.world.profiles.remove(key):
            metrics.PROFILES.set(len(self.world.profiles))
            self._worker.forget(key)
            self._facts.forget(key)
            self.world.scans.pop(key, None)
            self.world.refused.pop(key, None)

    async def kinds_that_are_there(self) -> list[Following]:
        """MemoryProfile is waited for. Another that is missing is told, and known by its list alone once it comes."""
        first, *others = self._kinds
        await first.wait_until_there()
        found = [first.following]
        for kind in others:
            try:
                there = await kind.is_there()
            except KubeError:
                there = True  # its loop says what is the matter; Kopf tries for itself
            if there:
                found.append(kind.following)
            else:
                _log.error(
                    "the kind %s is not installed; install the chart memwarden-crds of this version",
                    kind.following.resource.kind,
                )
        return found

    def missing(self) -> str:
        """What is not known yet, or ""."""
        if not self._kinds[0].listed:
            return "MemoryProfiles are not listed yet"
        return "" if self.world.pods_listed else "injected pods are not listed yet"
