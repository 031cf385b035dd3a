"""The controller's process: what starts in which order, and how it ends.

1. Connect to the API server, wait for the kind MemoryProfile.
2. Start the loops: injected pods, scans, the collector's changes, facts for the collector, the reconciler.
3. Kopf follows MemoryProfiles until SIGTERM; a list each minute shows whether its watch still lives.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

import kopf

from memwarden_kube.client import connect
from memwarden_kube.errors import KubeError, NotFound
from memwarden_operator.controller import handlers, health, metrics
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.collector import CollectorDoor
from memwarden_operator.controller.facts_loop import FactsLoop
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.loops import ChangesLoop, PodLoop, ScanLoop, Troubles, guarded
from memwarden_operator.controller.owners import Owners
from memwarden_operator.controller.profiles import Key, Known, read
from memwarden_operator.controller.scan import Scanner
from memwarden_operator.controller.settings import Settings
from memwarden_operator.controller.worker import Worker
from memwarden_operator.controller.world import World

RESYNC_SECONDS: Final = 60.0
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
        controller = Controller(settings, Cluster(client), door)
        runner = await health.serve(settings.address, controller.heart, controller.missing)
        stack.push_async_callback(runner.cleanup)
        tasks = [asyncio.create_task(guarded(name, loop), name=name) for name, loop in controller.loops()]
        try:
            await _kopf(settings, handlers.registry_for(client, controller.put, controller.gone), controller)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _kopf(settings: Settings, registry: kopf.OperatorRegistry, controller: "Controller") -> None:
    await controller.kind_is_there()
    where: dict[str, Any] = (
        {"namespaces": settings.namespaces} if settings.namespaces else {"clusterwide": True}
    )
    await kopf.operator(
        registry=registry, settings=handlers.operator_settings(), standalone=True, memo=None, **where
    )


class Controller:
    """Loops and world, put together."""

    def __init__(self, settings: Settings, cluster: Cluster, door: CollectorDoor) -> None:
        self.heart = Heart()
        self._settings = settings
        self._cluster = cluster
        self.world = World(Owners(cluster.metadata), settings.collector_address)
        self.world.pods.limit = settings.max_pods
        scanner = Scanner(cluster, self.world.owners)
        self._worker = Worker(self.world, cluster, scanner, settings, self.heart, now)
        troubles = Troubles(self.world, self._worker)
        self._troubles = troubles
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
            self.world, door, self._worker, self.heart, troubles, self._facts.everything, now
        )
        self._unlisted = set(settings.namespaces or ("",))

    def loops(self) -> list[tuple[str, Any]]:
        """By name; each is started anew where it fails."""
        pods = [("pods", self._pods_of(namespace)) for namespace in self._settings.namespaces or ("",)]
        return [
            *pods,
            ("profiles", self._resync),
            ("scan", self._scans.run),
            ("changes", self._changes.run),
            ("facts", self._facts.run),
            ("reconcile", self._worker.run),
        ]

    def _pods_of(self, namespace: str) -> Any:
        def listed() -> None:
            self._unlisted.discard(namespace)
            self.world.pods_listed = not self._unlisted

        def follow() -> Coroutine[Any, Any, None]:
            return self._pods.run(namespace, listed)

        return follow

    # ── MemoryProfiles, as Kopf says them ──────────────────────────────────────────────────────────────
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

    async def kind_is_there(self) -> None:
        """Kopf looks for the kind once: start it when there is one."""
        while True:
            try:
                async for _ in self._cluster.profiles(next(iter(self._settings.namespaces), "")):
                    break
                return
            except NotFound:
                self.heart.beat("profiles")
                _log.error("the kind MemoryProfile is not installed; install the chart memwarden-crds")
            except KubeError as error:
                self.heart.beat("profiles")
                self._troubles.of("profiles", error)
            await asyncio.sleep(5.0)

    async def _resync(self) -> None:
        """All profiles as they are, whatever the watch said: what it missed is put right, and shows that it is dead."""
        while True:
            try:
                behind = await self._compare()
                self._troubles.over("profiles")
                if behind:
                    _log.warning(
                        "the watch of MemoryProfiles is behind: %s", ", ".join(map("/".join, behind))
                    )
                else:
                    self.heart.beat("profiles")
                self.world.profiles_listed = True
            except KubeError as error:
                self.heart.beat("profiles")
                self._troubles.of("profiles", error)
            await asyncio.sleep(RESYNC_SECONDS)

    async def _compare(self) -> list[Key]:
        """Profiles that the watch should have told and did not."""
        behind: list[Key] = []
        seen: set[Key] = set()
        known = {one.key: one for one in self.world.profiles}
        for namespace in self._settings.namespaces or ("",):
            async for found, _ in self._cluster.profiles(namespace):
                for one in map(read, found):
                    seen.add(one.key)
                    before = known.get(one.key)
                    if (
                        before is None
                        or before.profile.metadata.generation != one.profile.metadata.generation
                    ):
                        if self.world.profiles_listed:
                            behind.append(one.key)
                        self.put(one)
        for key in set(known) - seen:
            if self.world.profiles_listed:
                behind.append(key)
            self.gone(key)
        return behind

    def missing(self) -> str:
        """What is not known yet, or ""."""
        if not self.world.profiles_listed:
            return "MemoryProfiles are not listed yet"
        return "" if self.world.pods_listed else "injected pods are not listed yet"
