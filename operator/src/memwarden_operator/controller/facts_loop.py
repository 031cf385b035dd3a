"""Tells the collector what only the cluster knows: whose pods are, versions, ends of containers, coverage, decisions.

What changed is told within seconds, everything every ten minutes and whenever the collector is back: it may have
another database. What could not be told stays to be told; nothing is kept beyond the pods that are there.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from memwarden_api.cluster import Coverage, Owner, Restart, Rollout, SkippedPod
from memwarden_operator.controller import metrics
from memwarden_operator.controller.collector import BATCH, CollectorDoor
from memwarden_operator.controller.errors import CollectorError
from memwarden_operator.controller.facts import decisions_of, owner_of, restarts_of, rollouts_of
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.loops import Troubles
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pods import Pod
from memwarden_operator.controller.profiles import Key
from memwarden_operator.controller.worker import Worker
from memwarden_operator.controller.world import World

EVERY: Final = 2.0
ALL_EVERY: Final = 600.0
REPORTING_EVERY: Final = 15.0
MOST_SKIPPED: Final = 20_000
_log = logging.getLogger(__name__)


class FactsLoop:
    """One loop; `changed`, `scanned` and `everything` say what there is to tell."""

    def __init__(
        self,
        world: World,
        door: CollectorDoor,
        worker: Worker,
        heart: Heart,
        troubles: Troubles,
        now: Callable[[], datetime],
    ) -> None:
        self._world = world
        self._door = door
        self._worker = worker
        self._heart = heart
        self._troubles = troubles
        self._now = now
        self._pods: set[tuple[str, str]] = set()
        self._coverage: set[Key] = set()
        self._gone: set[Key] = set()
        self._decisions: set[str] = set()
        """Ids of those that were told, as long as a status has them."""
        self._all_due = time.monotonic() + ALL_EVERY
        self._reporting_due = 0.0
        self._heard: set[str] = set()

    def changed(self, pod: Pod) -> None:
        self._pods.add(pod.key)

    def scanned(self, namespace: str) -> None:
        self._coverage |= {known.key for known in self._world.profiles.in_namespace(namespace)}

    def heard(self, namespace: str) -> None:
        """Data came from pods that had sent none: from how many it comes is asked without waiting for its time."""
        self._heard.add(namespace)

    def forget(self, key: Key) -> None:
        """The profile is gone."""
        self._coverage.discard(key)
        self._gone.add(key)

    def everything(self) -> None:
        self._pods |= {pod.key for pod in self._world.pods}
        self._coverage |= {known.key for known in self._world.profiles}
        self._decisions.clear()

    async def run(self) -> None:
        while True:
            self._heart.beat("facts")
            await self._resolve()
            try:
                if time.monotonic() >= self._all_due:
                    self.everything()
                    self._all_due = time.monotonic() + ALL_EVERY
                await self._tell_pods()
                await self._tell_coverage()
                await self._tell_decisions()
                await self._ask_reporting()
                self._troubles.over("facts")
            except CollectorError as error:
                self._troubles.of("facts", error)
                await asyncio.sleep(3 * EVERY)
            await asyncio.sleep(EVERY)

    async def _resolve(self) -> None:
        """Owners of pods that are new: asked of the cluster, also while the collector is away."""
        for key in list(self._pods):
            pod = self._world.pods.get(*key)
            if pod is None:
                self._pods.discard(key)
                continue
            if self._world.owners.known(pod) is None:
                owned = await self._world.owners.of(pod.namespace, pod.name, pod.uid, pod.owner)
                self._heart.beat("facts")
                if owned.final:
                    self._worker.soon((pod.namespace, pod.profile))
        error = self._world.owners.error
        if error is not None:
            self._troubles.of("owners", error)
        else:
            self._troubles.over("owners")

    async def _tell_pods(self) -> None:
        while self._pods:
            keys = [self._pods.pop() for _ in range(min(BATCH, len(self._pods)))]
            try:
                await self._tell_batch(
                    [pod for key in keys if (pod := self._world.pods.get(*key)) is not None]
                )
            except BaseException:
                self._pods.update(keys)
                raise
            self._heart.beat("facts")
            if self._world.owners.error is not None:
                return  # those whose owner could not be asked for come again in the next round

    async def _tell_batch(self, pods: list[Pod]) -> None:
        owners: list[Owner] = []
        restarts: list[Restart] = []
        touched: set[Workload] = set()
        for pod in pods:
            owned = await self._world.owners.of(pod.namespace, pod.name, pod.uid, pod.owner)
            if not owned.final:
                self._pods.add(pod.key)
            self._world.belongs(owned.workload, pod.profile)
            touched.add(owned.workload)
            owners.append(owner_of(pod, owned))
            restarts += restarts_of(pod)
        await self._door.tell_owners(owners)
        metrics.COLLECTOR_ITEMS.labels("owners").inc(len(owners))
        rollouts = self._rollouts(touched)
        if rollouts:
            await self._door.tell_rollouts(rollouts)
            metrics.COLLECTOR_ITEMS.labels("rollouts").inc(len(rollouts))
        if restarts:
            await self._door.tell_restarts(restarts)
            metrics.COLLECTOR_ITEMS.labels("restarts").inc(len(restarts))

    def _rollouts(self, touched: set[Workload]) -> list[Rollout]:
        namespaces = {workload.namespace for workload in touched}
        pods = [pod for pod in self._world.pods if pod.namespace in namespaces and not pod.leaving]
        owned = self._world.owned(pods)
        mine = [pod for pod in pods if pod.uid in owned and owned[pod.uid].workload in touched]
        return list(rollouts_of(mine, owned))

    async def _tell_coverage(self) -> None:
        for key in list(self._gone):
            await self._door.forget_coverage(*key)
            self._gone.discard(key)
        for key in list(self._coverage):
            scan = self._world.scans.get(key)
            if scan is not None and self._world.profiles.get(key) is not None:
                skipped = tuple(
                    SkippedPod(pod=one.pod, reason=one.reason, message=one.message[:1024])
                    for one in scan.missed[:MOST_SKIPPED]
                )
                coverage = Coverage(matched=scan.matched, injected=scan.injected, skipped=skipped, at=scan.at)
                await self._door.tell_coverage(*key, coverage)
                metrics.COLLECTOR_ITEMS.labels("coverage").inc()
            self._coverage.discard(key)

    async def _tell_decisions(self) -> None:
        there = {one.id: one for known in self._world.profiles for one in decisions_of(known.profile)}
        new = [one for id, one in there.items() if id not in self._decisions]
        if new:
            await self._door.tell_decisions(new)
            metrics.COLLECTOR_ITEMS.labels("decisions").inc(len(new))
        self._decisions = set(there)

    async def _ask_reporting(self) -> None:
        """From how many pods data comes, of each namespace with a profile."""
        namespaces = self._world.profiles.namespaces()
        asked = namespaces
        if time.monotonic() < self._reporting_due:
            asked = [one for one in namespaces if one in self._heard]
        else:
            self._reporting_due = time.monotonic() + REPORTING_EVERY
        for namespace in asked:
            self._heard.discard(namespace)  # first: what is heard meanwhile is asked for again
            counts = await self._door.reporting(namespace)
            if counts != self._world.reporting.get(namespace):
                self._world.reporting[namespace] = counts
                for known in self._world.profiles.in_namespace(namespace):
                    self._worker.soon(known.key)
            self._heart.beat("facts")
        self._heard.intersection_update(namespaces)
        for gone in set(self._world.reporting) - set(namespaces):
            del self._world.reporting[gone]
