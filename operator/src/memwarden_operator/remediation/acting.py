"""The edge of remediation: reads what `decide` needs, and does what is pending in a profile's status.

Right before anything is touched the profile is read anew: only what is pending there now, by the same id, is done.
Evidence is asked for by a HeapSnapshot, and read from what the API server tells of it.
Never a delete, nothing forced: the eviction API, or an annotation of the workload's pod template under our own field
manager.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

import aiohttp

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_kube.errors import Conflict, Forbidden, Invalid, NotFound
from memwarden_kube.objects import PROFILES
from memwarden_operator.controller import metrics
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.observed import Observed
from memwarden_operator.controller.profiles import Known, read
from memwarden_operator.controller.settings import Settings
from memwarden_operator.controller.world import World
from memwarden_operator.remediation import evidence, ledger
from memwarden_operator.remediation.bringing_in import TO_INJECT, is_asked_for
from memwarden_operator.remediation.case import Around
from memwarden_operator.remediation.decisions import Act, Outcome, Remedied, because, decide, unchanged
from memwarden_operator.remediation.evidence import Taken
from memwarden_operator.remediation.looking import Looking, cases_of
from memwarden_operator.remediation.replicas import RESOURCES

_ASK_INJECTOR_EVERY: Final = 10.0
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)
_log = logging.getLogger(__name__)


class Remedies:
    """For all profiles."""

    def __init__(self, world: World, cluster: Cluster, settings: Settings) -> None:
        self._world = world
        self._cluster = cluster
        self._settings = settings
        self._injector = (0.0, "it has not been asked yet")
        self._looking = Looking(world, cluster)

    async def decide(self, known: Known, observed: Observed, now: datetime) -> Remedied:
        """Nothing is asked of the cluster for a profile without a pod that `when` holds for or that was missed."""
        if not self._world.pods_listed:
            return unchanged(known.profile.status)  # a pod that is not known yet is not gone
        spec, mode = known.profile.spec, known.profile.spec.remediation.mode
        waiting = {entry.workload for entry in known.profile.status.actions if entry.pending is not None}
        cases = cases_of(observed, waiting, now)
        injector = ""
        if cases and (mode in ("DryRun", "Act") or spec.injection.missed_pods == "Rollout"):
            cases = await self._looking.at(cases, waiting, known, now)
            injector = await self._injector_says()
        around = Around(self._settings.remediation, observed.collector, injector, self._cluster_left(now))
        living = frozenset(pod.uid for pod in observed.pods if not pod.over)
        return decide(known.profile, cases, living, around, now, self._evidence(known))

    async def act(self, known: Known, acts: Iterable[Act]) -> list[Outcome]:
        """What came of each; raises KubeError where the profile can't be read."""
        namespace, name = known.key
        fresh = await self._fresh(namespace, name)
        if fresh is None or fresh.metadata.uid != known.profile.metadata.uid:
            return []
        acts = [act for act in acts if is_asked_for(act.pending.action, fresh.spec)]
        if not acts:
            return []
        pending = {entry.pending.id for entry in fresh.status.actions if entry.pending is not None}
        self._injector = (time.monotonic(), await self._asked())
        if self._injector[1]:
            return []  # it was ready when that was decided; the next round says that it no longer is
        outcomes = []
        for act in acts:
            if act.pending.id in pending:
                outcome = await self._one(fresh, act)
                if outcome is None:
                    continue
                metrics.REMEDIATIONS.labels(outcome.result, outcome.reason).inc()
                _log.warning(
                    "%s of %s in namespace %s (pod %s): %s: %s: %s",
                    act.pending.action, act.case.workload.label, namespace, act.pending.pod or "all",
                    outcome.result, outcome.reason, outcome.message,
                )  # fmt: skip
                outcomes.append(outcome)
        return outcomes

    async def _fresh(self, namespace: str, name: str) -> MemoryProfile | None:
        """As the API server has it now. By a list, since that is the right that there is; None: it is gone."""
        async for found, _ in self._cluster.objects(PROFILES, namespace):
            for one in found:
                if one["metadata"]["name"] == name:
                    return read(one).profile
        return None

    async def _one(self, profile: MemoryProfile, act: Act) -> Outcome | None:
        """None: evidence is being taken, and it is done later."""
        if act.take:
            why = await self._take(profile, act)
            if not why:
                return None
            then = evidence.without(profile.spec.remediation.capture_evidence, why)
            if then.step == "Stop":
                return Outcome(act, "Refused", names.REFUSED_EVIDENCE, why)
            act = replace(act, without=why)
        try:
            if act.pending.action == "Evict":
                return await self._evict(act)
            return await self._restart(act)
        except Forbidden as error:
            return Outcome(act, "Failed", names.REFUSED_NO_RIGHT, str(error))
        except Invalid as error:
            return Outcome(act, "Failed", names.REFUSED_BY_SERVER, str(error))

    async def _evict(self, act: Act) -> Outcome:
        namespace = act.case.workload.namespace
        done = await self._cluster.evict(namespace, act.pending.pod, act.pending.pod_uid)
        if done.outcome == "Blocked":
            return Outcome(act, "Blocked", names.REFUSED_DISRUPTION_BUDGET, done.message)
        if done.outcome == "Refused":
            return Outcome(act, "Failed", names.REFUSED_BY_SERVER, done.message)
        text = "the pod was evicted; its workload makes another one"
        return Outcome(act, "Done", names.DECIDED, text + _lacks(act))

    async def _restart(self, act: Act) -> Outcome:
        about, work = act.case.reference, act.case.workload
        template = {"metadata": {"annotations": {names.RESTARTED: act.pending.id}}}
        try:
            await self._cluster.restart(RESOURCES[work.kind], work.namespace, work.name, about.uid, template)
        except (NotFound, Conflict) as error:
            return Outcome(act, "Failed", names.REFUSED_UNKNOWN_STATE, str(error))
        text = "the workload makes all of its pods anew"
        if act.pending.action == TO_INJECT:
            text += f"; {len(act.case.missed)} of them were not injected"
        return Outcome(act, "Done", because(act.pending.action), text + _lacks(act))

    # ── Evidence ───────────────────────────────────────────────────────────────────────────────────────
    def _evidence(self, known: Known) -> dict[str, Taken]:
        """Of what is pending, as far as it was asked for."""
        namespace, name = known.key
        pending = [entry.pending for entry in known.profile.status.actions if entry.pending is not None]
        found = {
            one.id: evidence.taken(self._world.snapshots.get((namespace, evidence.name_of(name, one))))
            for one in pending
        }
        return {key: one for key, one in found.items() if one is not None}

    async def _take(self, profile: MemoryProfile, act: Act) -> str:
        """Ask for it; why it can't be asked for, or ""."""
        about = profile.metadata
        name = evidence.name_of(about.name, act.pending)
        try:
            await self._cluster.make_snapshot(
                about.namespace, name, {"spec": evidence.wanted_of(act.case.workload)}
            )
        except (Forbidden, Invalid, NotFound) as error:
            return str(error)
        return ""

    async def _injector_says(self) -> str:
        """Why pods made now might not be injected, or ""; asked at most every ten seconds."""
        asked, said = self._injector
        if time.monotonic() - asked < _ASK_INJECTOR_EVERY and asked:
            return said
        self._injector = (time.monotonic(), await self._asked())
        return self._injector[1]

    async def _asked(self) -> str:
        url = self._settings.injector_url
        if not url:
            return "--injector-url is not given, so nobody knows whether the injector is ready"
        try:
            async with aiohttp.ClientSession(timeout=_PATIENCE) as session, session.get(url) as response:
                return "" if response.status == 200 else f"the injector says HTTP {response.status} at {url}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            cause = " ".join(str(error).split())[:200] or type(error).__name__
            return f"the injector does not answer at {url} ({cause})"

    def _cluster_left(self, now: datetime) -> int:
        """What the statuses of all profiles leave of the budget: none of it is in memory alone."""
        spent = 0
        for known in self._world.profiles:
            for entry in known.profile.status.actions:
                spent += ledger.within_hour(ledger.counted(entry, dry_run=False), now)
                spent += entry.pending is not None
        return max(self._settings.remediations_per_hour - spent, 0)


def _lacks(act: Act) -> str:
    return f"; without evidence: {act.without}" if act.without else ""
