"""The cases of one profile: from what is observed, and from what the workloads' objects say right now."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from memwarden_kube.errors import KubeError, NotFound
from memwarden_kube.objects import PODS
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.missed import Namespace
from memwarden_operator.controller.observed import Missed, Observed
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pods import Reference
from memwarden_operator.controller.profiles import Key, Known
from memwarden_operator.controller.scan import namespace_of
from memwarden_operator.controller.world import World
from memwarden_operator.remediation.case import Case
from memwarden_operator.remediation.plan import meant
from memwarden_operator.remediation.replicas import RESOURCES, replicas_of, template_of

LOOKED_AT: Final = 50
"""Workloads of which pods were missed, in one round of one profile: a new profile may find hundreds."""
_log = logging.getLogger(__name__)


class Looking:
    """For all profiles."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        self._world = world
        self._cluster = cluster
        self._turns: dict[Key, int] = {}

    async def at(self, cases: Sequence[Case], waiting: set[str], known: Known, now: datetime) -> list[Case]:
        """With what objects say, but where pods were only missed some at a time: the others as if none were."""
        lacking = [case.workload for case in cases if case.missed]
        turn = self._turns.pop(known.key, 0)
        chosen = frozenset(lacking[turn : turn + LOOKED_AT])
        if turn + LOOKED_AT < len(lacking):
            self._turns[known.key] = turn + LOOKED_AT
        namespace = await self._namespace(known) if lacking else None
        found = []
        for case in cases:
            waits = case.workload.label in waiting
            if not (waits or case.workload in chosen):
                case = replace(case, missed=())
            if waits or case.missed or meant(case, known.profile.spec, now):
                case = await self._looked_at(case, known, namespace)
            found.append(case)
        return found

    async def _looked_at(self, case: Case, known: Known, namespace: Namespace | None) -> Case:
        """With what its object says of its pods, and of the missed ones only what is still so."""
        work = case.workload
        resource = RESOURCES.get(work.kind)
        if resource is None or (case.missed and namespace is None):
            return case
        try:
            case = replace(case, missed=case.missed if await self._is_there(case) else ())
            found = await self._cluster.whole(resource, work.namespace, work.name)
        except KubeError as error:
            _log.warning("%s can't be read, so nothing is done to it: %s", work.label, error)
            return case
        if found["metadata"].get("uid") != case.reference.uid:
            return case
        template = None
        if case.missed and namespace is not None:
            template = template_of(work, found, known.key[1], known.profile.metadata.uid, namespace)
        return replace(case, replicas=replicas_of(work.kind, found), template=template)

    async def _namespace(self, known: Known) -> Namespace | None:
        """What decides over its pods; None: it can't be asked for."""
        name = known.key[0]
        try:
            return await namespace_of(self._cluster, name, self._world.profiles.in_namespace(name))
        except KubeError as error:
            _log.warning("namespace %s can't be read, so nothing is done about missed pods: %s", name, error)
            return None

    async def _is_there(self, case: Case) -> bool:
        """The newest of the missed pods: since the scan somebody else may have made all of them anew."""
        if not case.missed:
            return False
        newest = case.missed[0]
        try:
            about = (await self._cluster.metadata(PODS, case.workload.namespace, newest.name))["metadata"]
        except NotFound:
            return False
        return about.get("uid") == newest.uid and "deletionTimestamp" not in about


def cases_of(observed: Observed, waiting: set[str], now: datetime) -> list[Case]:
    """Of workloads with a pod that `when` holds for or that was missed, or of which something is pending."""
    spec = observed.profile.spec
    return [
        case
        for case in _cases(observed)
        if case.workload.label in waiting
        or case.missed
        or (spec.remediation.mode != "Off" and meant(case, spec, now))
    ]


def _cases(observed: Observed) -> list[Case]:
    """By workload: the profile's pods, what is said of them, and those that were missed."""
    stopped = {entry.workload for entry in observed.profile.status.injection_stopped}
    missed = _missed(observed)
    references = {workload: reference for workload, (reference, _) in missed.items()}
    references |= {owned.workload: owned.reference for owned in observed.owners.values()}
    found = []
    for workload in sorted(references):
        verdicts = tuple(one for one in observed.verdicts if one.workload == workload)
        pods = tuple(pod for pod in observed.pods if _is_of(pod.uid, workload, observed))
        lacking = tuple(missed[workload][1]) if workload in missed else ()
        found.append(
            Case(workload, references[workload], verdicts, pods, None, workload.label in stopped, lacking)
        )
    return found


def _missed(observed: Observed) -> dict[Workload, tuple[Reference, list[Missed]]]:
    """Pods that a rollout would help, the newest first; none where nobody asks for that, or the scan is older."""
    profile, scan = observed.profile, observed.scan
    if profile.spec.injection.missed_pods != "Rollout" or scan is None:
        return {}
    if scan.generation != profile.metadata.generation:
        return {}
    found: dict[Workload, tuple[Reference, list[Missed]]] = {}
    for one in sorted(scan.missed, key=lambda one: (one.made_at, one.pod), reverse=True):
        about = one.workload
        if one.curable and about is not None:
            workload = Workload(profile.metadata.namespace, about.kind, about.name)
            found.setdefault(workload, (about, []))[1].append(one)
    return found


def _is_of(uid: str, workload: Workload, observed: Observed) -> bool:
    owned = observed.owners.get(uid)
    return owned is not None and owned.workload == workload
