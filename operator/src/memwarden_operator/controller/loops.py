"""The loops that fill the world: pods, scans, what the collector says, what the collector is told.

Each lives as long as the process: what goes wrong is logged, counted and tried again. `guarded` makes that so.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from memwarden_kube.errors import Forbidden, KubeError
from memwarden_kube.watch import Changed, Listed, Listing
from memwarden_operator.controller import metrics
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.collector import CollectorDoor
from memwarden_operator.controller.errors import CollectorAway, CollectorError, CollectorRefuses
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.pods import Pod, trimmed
from memwarden_operator.controller.scan import Scanner
from memwarden_operator.controller.settings import Settings
from memwarden_operator.controller.verdicts import trimmed as trimmed_verdict
from memwarden_operator.controller.worker import Worker
from memwarden_operator.controller.world import World

RETRY_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


async def guarded(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run it for ever: an error that nobody foresaw is logged with its stack, and the loop begins anew."""
    while True:
        try:
            await run()
        except Exception:
            metrics.ERRORS.labels(name, "Bug").inc()
            _log.exception("loop %s failed; it begins anew", name)
        await asyncio.sleep(RETRY_SECONDS)


class Troubles:
    """What a loop could not do: a missing right is shown in each profile's status, all is counted, news are logged."""

    def __init__(self, world: World, worker: Worker) -> None:
        self._world = world
        self._worker = worker
        self._said: dict[str, str] = {}

    def of(self, part: str, error: Exception) -> None:
        metrics.ERRORS.labels(part, type(error).__name__).inc()
        text = str(error)
        if self._said.get(part) != text:
            self._said[part] = text
            _log.warning("%s: %s", part, text)
        if isinstance(error, Forbidden) and self._world.troubles.get(part) != text:
            self._world.troubles[part] = text
            self._worker.all_soon()

    def over(self, part: str) -> None:
        if self._said.pop(part, None) is not None:
            _log.info("%s: works again", part)
        if self._world.troubles.pop(part, None) is not None:
            self._worker.all_soon()


class PodLoop:
    """Follows injected pods of one namespace, or of all."""

    def __init__(
        self,
        world: World,
        cluster: Cluster,
        worker: Worker,
        heart: Heart,
        troubles: Troubles,
        changed: Callable[[Pod], None],
    ) -> None:
        self._world = world
        self._cluster = cluster
        self._worker = worker
        self._heart = heart
        self._troubles = troubles
        self._changed = changed

    async def run(self, namespace: str, listed: Callable[[], None]) -> None:
        """`listed` is called when all pods are known."""
        seen: set[tuple[str, str]] = set()
        async for step in self._cluster.injected_pods(namespace, self._failed):
            self._heart.beat("pods")
            if isinstance(step, Listing):
                for found in step.objects:
                    pod = trimmed(found)
                    seen.add(pod.key)
                    self._put(pod)
            elif isinstance(step, Listed):
                for gone in self._world.pods.keep_only(seen, namespace):
                    self._worker.soon((gone.namespace, gone.profile))
                seen = set()
                listed()
            elif isinstance(step, Changed):
                self._change(step)
            if not isinstance(step, Listing):
                self._troubles.over("pods")
            metrics.PODS.set(len(self._world.pods))
            metrics.PODS_LEFT_OUT.set(self._world.pods.left_out)

    def _change(self, step: Changed) -> None:
        pod = trimmed(step.object)
        if step.gone or not pod.profile:
            self._world.pods.remove(*pod.key)
        else:
            self._put(pod)
        self._worker.soon((pod.namespace, pod.profile))

    def _put(self, pod: Pod) -> None:
        before = self._world.pods.get(*pod.key)
        if self._world.pods.put(pod) and pod != before:
            self._changed(pod)
            self._worker.soon((pod.namespace, pod.profile))

    def _failed(self, error: KubeError) -> None:
        self._heart.beat("pods")
        self._troubles.of("pods", error)


class ScanLoop:
    """Looks over namespaces with profiles every minute, over the others every ten."""

    def __init__(
        self,
        world: World,
        cluster: Cluster,
        scanner: Scanner,
        worker: Worker,
        settings: Settings,
        heart: Heart,
        troubles: Troubles,
        scanned: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._world = world
        self._cluster = cluster
        self._scanner = scanner
        self._worker = worker
        self._settings = settings
        self._heart = heart
        self._troubles = troubles
        self._scanned = scanned
        self._now = now
        self._due: dict[str, float] = {}
        self._elsewhere = time.monotonic() + min(settings.elsewhere_seconds, settings.scan_seconds)

    def soon(self, namespace: str) -> None:
        """A profile is new, or says something else."""
        self._due[namespace] = 0.0

    async def run(self) -> None:
        while True:
            self._heart.beat("scan")
            with_profiles = self._world.profiles.namespaces()
            self._due = {one: due for one, due in self._due.items() if one in with_profiles}
            for namespace in with_profiles:
                if self._due.get(namespace, 0.0) <= time.monotonic():
                    self._due[namespace] = time.monotonic() + self._settings.scan_seconds
                    await self._scan(namespace)
                    self._heart.beat("scan")
            if time.monotonic() >= self._elsewhere:
                self._elsewhere = time.monotonic() + self._settings.elsewhere_seconds
                await self._look_elsewhere(set(with_profiles))
            await asyncio.sleep(min(1.0, self._settings.scan_seconds))

    async def _scan(self, namespace: str) -> None:
        known = self._world.profiles.in_namespace(namespace)
        now = self._now()
        try:
            scans, told = await self._scanner.scan(namespace, known, now)
            for profile, scan in scans.items():
                self._world.scans[namespace, profile] = scan
            refused = await self._scanner.refused(namespace, known, now)
            for one in known:
                self._world.refused[one.key] = refused.get(one.key[1], {})
            await self._policies(namespace)
            for event in told[:10]:
                await self._worker.recorder.tell(event, now)
            self._troubles.over("scan")
        except KubeError as error:
            self._troubles.of("scan", error)
        self._count_missed()
        self._scanned(namespace)
        for one in known:
            self._worker.soon(one.key)

    async def _policies(self, namespace: str) -> None:
        """Only where somebody is silent: most namespaces never need it."""
        counts = self._world.reporting.get(namespace, {})
        silent = [
            pod
            for one in self._world.profiles.in_namespace(namespace)
            if counts.get(one.key[1], 0) == 0
            for pod in self._world.pods.of(*one.key)[:1]
        ]
        self._world.denying[namespace] = await self._scanner.denying(silent[0]) if silent else ()

    async def _look_elsewhere(self, with_profiles: set[str]) -> None:
        """Pods that ask to be watched where no profile is: told on their owners."""
        try:
            async for found, _ in self._cluster.namespaces():
                for one in found:
                    name = one["metadata"]["name"]
                    if name not in with_profiles and self._is_ours_to_look_at(name):
                        self._heart.beat("scan")
                        _, told = await self._scanner.scan(name, (), self._now())
                        for event in told[:10]:
                            await self._worker.recorder.tell(event, self._now())
            self._troubles.over("scan elsewhere")
        except KubeError as error:
            self._troubles.of("scan elsewhere", error)

    def _is_ours_to_look_at(self, namespace: str) -> bool:
        return not self._settings.namespaces or namespace in self._settings.namespaces

    def _count_missed(self) -> None:
        counts: dict[str, int] = {}
        for scan in self._world.scans.values():
            for one in scan.missed:
                counts[one.reason] = counts.get(one.reason, 0) + 1
        metrics.MISSED.clear()
        for reason, count in counts.items():
            metrics.MISSED.labels(reason).set(count)


class ChangesLoop:
    """Asks the collector what is new of workloads, by long poll; and which profiles' pods report."""

    def __init__(
        self,
        world: World,
        door: CollectorDoor,
        worker: Worker,
        heart: Heart,
        troubles: Troubles,
        returned: Callable[[], None],
        heard: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        """`returned`: the collector is back; `heard`: pods of a namespace report that were not known to."""
        self._world = world
        self._door = door
        self._worker = worker
        self._heart = heart
        self._troubles = troubles
        self._returned = returned
        self._heard = heard
        self._now = now
        self._cursor: str | None = None

    async def run(self) -> None:
        while True:
            self._heart.beat("changes")
            try:
                await self._once()
            except CollectorRefuses as error:
                self._failed(error)
                # A cursor of another database, say: everything is asked anew.
                self._cursor = None
                await asyncio.sleep(RETRY_SECONDS)
            except CollectorError as error:
                self._failed(error)
                wait = error.retry_seconds if isinstance(error, CollectorAway) else None
                await asyncio.sleep(min(wait or RETRY_SECONDS, 30.0))

    async def _once(self) -> None:
        fresh = self._cursor is None
        changes = await self._door.changes(self._cursor, 0 if fresh else 30)
        if fresh:
            self._world.verdicts.clear()
        self._cursor = changes.cursor
        self._troubles.over("collector")
        metrics.COLLECTOR_UP.set(1)
        # What it says comes in pages: it has answered with the last of them.
        if not changes.more and self._world.collector_answered(self._now()):
            _log.info("the collector answers")
            self._returned()
            self._worker.all_soon()
        touched = set()
        for told in changes.items:
            if told.namespace and told.name and told.container:  # nothing of a laptop, nothing half known
                if self._world.verdicts.put(trimmed_verdict(told)):
                    self._heard(told.namespace)
                touched.add(told.namespace)
        for namespace in touched:
            for known in self._world.profiles.in_namespace(namespace):
                self._worker.soon(known.key)

    def _failed(self, error: CollectorError) -> None:
        metrics.COLLECTOR_UP.set(0)
        self._world.collector_failed(str(error)[:300], self._now())
        self._troubles.of("collector", error)
