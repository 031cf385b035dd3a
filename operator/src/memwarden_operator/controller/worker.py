"""The reconciler: takes profiles that may have changed, one after the other, and does what `reconcile` says.

Who has news calls `soon(key)`; every profile comes anyway every `RESYNC` seconds. What fails is tried again, waiting
ever longer. Nothing else writes a profile's status.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileStatus
from memwarden_kube.errors import Conflict, Forbidden, KubeError, NotFound, TooBusy
from memwarden_kube.events import Regarding, Told
from memwarden_operator.controller import breaker, metrics, profiles
from memwarden_operator.controller.breaker import AskForPlain, Plain, Stop
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.news import news
from memwarden_operator.controller.observed import Observed
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pace import Pace
from memwarden_operator.controller.pods import Pod
from memwarden_operator.controller.profiles import Key, Known
from memwarden_operator.controller.reconcile import Plan, reconcile
from memwarden_operator.controller.recorder import Recorder
from memwarden_operator.controller.scan import Scanner
from memwarden_operator.controller.settings import Settings
from memwarden_operator.controller.world import World
from memwarden_operator.remediation.acting import Remedies
from memwarden_operator.remediation.decisions import settled

RESYNC: Final = 30.0
DEBOUNCE: Final = 1.0
"""A rollout changes many pods at once: they are one reconcile."""
PLAIN_AGE: Final = 60.0
EVICTIONS: Final = 5
"""Of one reconcile: a workload's pods go one handful after the other."""
_LONGEST: Final = 60.0
_log = logging.getLogger(__name__)


class Worker:
    """One loop, `run`."""

    def __init__(
        self,
        world: World,
        cluster: Cluster,
        scanner: Scanner,
        remedies: Remedies,
        settings: Settings,
        heart: Heart,
        now: Callable[[], datetime],
    ) -> None:
        self._world = world
        self._cluster = cluster
        self._scanner = scanner
        self._write_every = timedelta(seconds=settings.status_seconds)
        self._heart = heart
        self._now = now
        self._recorder = Recorder(cluster.tell)
        self._remedies = remedies
        self._due: dict[Key, float] = {}
        self._wake = asyncio.Event()
        self._paces: dict[Key, Pace] = {}
        self._failures: dict[Key, int] = {}

    @property
    def recorder(self) -> Recorder:
        return self._recorder

    def soon(self, key: Key, delay: float = DEBOUNCE) -> None:
        """Reconcile it within `delay` seconds, or as early as is due already."""
        due = time.monotonic() + delay
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            self._wake.set()

    def all_soon(self) -> None:
        for known in self._world.profiles:
            self.soon(known.key)

    def namespace_soon(self, namespace: str) -> None:
        for known in self._world.profiles.in_namespace(namespace):
            self.soon(known.key, 0.0)

    def forget(self, key: Key) -> None:
        """The profile is gone."""
        for kept in (self._due, self._paces, self._failures):
            kept.pop(key, None)

    def _pace(self, key: Key) -> Pace:
        return self._paces.get(key, Pace())

    async def run(self) -> None:
        """Never ends by itself."""
        resync = time.monotonic()
        while True:
            self._heart.beat("reconcile")
            if time.monotonic() >= resync:
                self.all_soon()
                resync = time.monotonic() + RESYNC
            metrics.QUEUE.set(len(self._due))
            ready = [key for key, due in self._due.items() if due <= time.monotonic()]
            if not ready or not self._is_ready():
                await self._sleep()
                continue
            for key in ready:
                self._due.pop(key, None)
                await self._one(key)
                self._heart.beat("reconcile")

    def _is_ready(self) -> bool:
        """Before pods and verdicts are known nothing is said: what stands in the status is better than nothing."""
        listed = self._world.pods_listed or self._world.troubles
        return bool(listed) and self._world.collector_is_known(self._now())

    async def _sleep(self) -> None:
        self._wake.clear()
        nearest = min(self._due.values(), default=time.monotonic() + 1.0) - time.monotonic()
        try:
            await asyncio.wait_for(self._wake.wait(), min(max(nearest, 0.05), 1.0))
        except TimeoutError:
            return

    async def _one(self, key: Key) -> None:
        known = self._world.profiles.get(key)
        if known is None:
            return
        start = time.monotonic()
        try:
            outcome = await self._reconcile(known)
            self._failures.pop(key, None)
        except KubeError as error:
            outcome = "error"
            self._failed(key, error)
        except Exception:
            outcome = "error"
            _log.exception("memoryprofile %s/%s could not be reconciled", *key)
            self._failed(key, None)
        metrics.RECONCILES.labels(outcome).inc()
        metrics.RECONCILE_SECONDS.observe(time.monotonic() - start)

    def _failed(self, key: Key, error: KubeError | None) -> None:
        if isinstance(error, NotFound | Conflict):
            self.soon(key, 5.0)  # it went, or was made anew: the watch says so
            return
        count = self._failures[key] = self._failures.get(key, 0) + 1
        wait = min(_LONGEST, 2.0 ** min(count, 6))
        if isinstance(error, TooBusy):
            wait = max(wait, error.retry_seconds)
        metrics.ERRORS.labels("reconcile", type(error).__name__ if error else "Bug").inc()
        if error is not None:
            _log.warning("memoryprofile %s/%s: %s", *key, error)
        self.soon(key, wait)

    async def _reconcile(self, known: Known) -> str:
        now = self._now()
        stops = await self._stops(known, now)
        observed = self._world.observed(known, stops, now)
        remedied = await self._remedies.decide(known, observed, now)
        plan = reconcile(observed, self._pace(known.key), now, self._write_every, remedied)
        for told in plan.events:
            await self._recorder.tell(told, now)
        if plan.status is not None:
            await self._write(known, plan, now)
        elif plan.acts:
            await self._act(known, observed, plan, now)
        for pod in plan.evictions[:EVICTIONS]:
            await self._evict(pod, now)
        if plan.again is not None:
            self.soon(known.key, plan.again.total_seconds())
        if plan.status is not None:
            return "written"
        return "unchanged" if plan.again is None else "waiting"

    async def _write(self, known: Known, plan: Plan, now: datetime) -> None:
        assert plan.status is not None
        namespace, _ = known.key
        before = {entry.workload for entry in known.profile.status.injection_stopped}
        await self._put(known, plan.status, now)
        for entry in plan.status.injection_stopped:
            if entry.workload not in before:
                metrics.DECISIONS.labels("stop", entry.reason).inc()
                _log.warning(
                    "injection of %s in namespace %s is stopped: %s: %s",
                    entry.workload, namespace, entry.reason, entry.message,
                )  # fmt: skip

    async def _put(self, known: Known, status: MemoryProfileStatus, now: datetime) -> None:
        about = known.profile.metadata
        answer = await self._cluster.write_status(
            about.namespace, about.name, about.uid, about.resource_version, status.to_cluster()
        )
        self._paces[known.key] = self._pace(known.key).wrote(now, self._write_every)
        self._world.profiles.put(profiles.read(answer))
        if any(entry.pending is not None for entry in status.actions):
            self.soon(known.key, 0.0)  # what is pending stands in the cluster now: it may be done

    async def _act(self, known: Known, observed: Observed, plan: Plan, now: datetime) -> None:
        """Only in a round in which nothing else had to be written: what is done stands in the cluster as pending."""
        outcomes = await self._remedies.act(known, plan.acts)
        if outcomes:
            after = settled(known.profile, outcomes, self._now())
            if after != known.profile.status:
                for told in news(observed, after):
                    await self._recorder.tell(told, now)
                await self._put(known, after, now)

    async def _evict(self, pod: Pod, now: datetime) -> None:
        try:
            done = await self._cluster.evict(pod.namespace, pod.name, pod.uid)
        except Forbidden as error:
            # A right that whoever installs may withhold: the pod stays, the status says what is the matter with it.
            metrics.DECISIONS.labels("evict", "Forbidden").inc()
            _log.warning("%s", error)
            return
        metrics.DECISIONS.labels("evict", done.outcome).inc()
        said = {
            "Evicted": "was evicted: it did not start or live with Memwarden, and comes back without",
            "Gone": "is gone already",
            "Blocked": f"does not start or live with Memwarden, and its disruption budget keeps it: {done.message}",
            "Refused": f"does not start or live with Memwarden, and can't be evicted: {done.message}",
        }[done.outcome]
        _log.warning("pod %s/%s %s", pod.namespace, pod.name, said)
        owned = self._world.owners.known(pod)
        if owned is not None and done.outcome != "Gone":
            about = owned.reference
            regarding = Regarding(about.api_version, about.kind, pod.namespace, about.name, about.uid)
            kind: Literal["Normal", "Warning"] = "Normal" if done.outcome == "Evicted" else "Warning"
            note = f"pod {pod.name} {said}"
            told = Told(regarding, names.EVENT_POD_EVICTED, note, kind, "Evict", pod.uid + done.outcome)
            await self._recorder.tell(told, now)

    # ── The circuit breaker ────────────────────────────────────────────────────────────────────────────
    async def _stops(self, known: Known, now: datetime) -> dict[Workload, Stop]:
        namespace, name = known.key
        by_workload: dict[Workload, list[Pod]] = {}
        pods = self._world.pods.of(namespace, name)
        owned = self._world.owned(pods)
        for pod in pods:
            if pod.uid in owned:
                by_workload.setdefault(owned[pod.uid].workload, []).append(pod)
        stops = dict(self._world.refused.get(known.key, {}))
        for workload, members in by_workload.items():
            found = breaker.judge(members, None, now)
            if isinstance(found, AskForPlain):
                found = breaker.judge(members, await self._plain(workload, now), now)
            if isinstance(found, Stop):
                stops[workload] = found
        return stops

    async def _plain(self, workload: Workload, now: datetime) -> Plain:
        there = self._world.plain.get(workload)
        if there is not None and (now - there[0]).total_seconds() < PLAIN_AGE:
            return there[1]
        found = await self._scanner.plain(workload, now)
        if len(self._world.plain) >= 1000:
            self._world.plain.clear()
        self._world.plain[workload] = (now, found)
        return found
