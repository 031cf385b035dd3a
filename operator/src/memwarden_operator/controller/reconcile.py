"""One profile, level-based: from what is observed to what is to be done. Pure; called again it says the same.

1. The status that should stand in the cluster (status.py).
2. Nothing is written that stands there already, and nothing sooner than its pace allows (pace.py).
3. What is new in it is told as events, before it is written: a crash in between tells it twice, never not at all.
4. Pods that are stuck because of us go, once the injector knows that their workload is not to be injected.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileStatus
from memwarden_kube.events import Regarding, Told
from memwarden_operator.controller.news import news
from memwarden_operator.controller.observed import Observed
from memwarden_operator.controller.pace import Pace, is_news
from memwarden_operator.controller.pods import Pod
from memwarden_operator.controller.status import status_of
from memwarden_operator.remediation.decisions import Act, Remedied

WRITE_EVERY: Final = timedelta(seconds=30)
EVICT_AFTER: Final = timedelta(seconds=10)
"""From the write that stops injection: the injector's watch has it by then, and the pod comes back without us."""
EVIDENCE_AGAIN: Final = timedelta(seconds=5)
"""While evidence is taken, or a rollout waits for the injector's watch; that evidence has come is told at once."""
ACT_AGAIN: Final = timedelta(seconds=10)
"""While something is pending: a disruption budget may let the pod go by then."""
MAKE_ANEW: Final = frozenset(("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"))
"""Owners that make a pod anew when it is evicted. Of others nobody knows: they are left alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now, in this order, and when to look again at the latest."""

    events: tuple[Told, ...] = ()
    status: MemoryProfileStatus | None = None
    evictions: tuple[Pod, ...] = ()
    acts: tuple[Act, ...] = ()
    """Remediations that are pending in the status that is in the cluster."""
    again: timedelta | None = None


def reconcile(
    observed: Observed,
    pace: Pace,
    now: datetime,
    write_every: timedelta = WRITE_EVERY,
    remedied: Remedied | None = None,
) -> Plan:
    """`pace`: of what this process has written into the profile's status."""
    evictions, orphans = _stuck(observed, now)
    waiting = EVICT_AFTER if observed.stops and not evictions else None
    after = status_of(observed, now)
    acts: tuple[Act, ...] = ()
    if remedied is not None:
        after, acts = remedied.put_into(after), remedied.acts
    if acts:
        waiting = min(ACT_AGAIN, waiting or ACT_AGAIN)
    if remedied is not None and remedied.waits:
        waiting = min(EVIDENCE_AGAIN, waiting or EVIDENCE_AGAIN)
    before = observed.profile.status
    if same(after, before):
        return Plan(events=orphans, evictions=evictions, acts=acts, again=waiting)
    due = pace.due(now, write_every, news=is_news(before, after))
    if now < due and not _decided(before, after):
        return Plan(
            events=orphans, evictions=evictions, acts=acts, again=min(due - now, waiting or write_every)
        )
    return Plan((*news(observed, after), *orphans), after, evictions, acts, again=waiting)


def _decided(before: MemoryProfileStatus, after: MemoryProfileStatus) -> bool:
    """What is about to be done is written at once: until then it is not done."""
    return _ordered(before).actions != _ordered(after).actions


def same(one: MemoryProfileStatus, other: MemoryProfileStatus) -> bool:
    """Whether they say the same; the API server may order the entries of a list otherwise than we did."""
    return _ordered(one) == _ordered(other)


def _ordered(status: MemoryProfileStatus) -> MemoryProfileStatus:
    skipped = tuple(sorted(status.coverage.skipped, key=lambda one: one.pod))
    return status.model_copy(
        update={
            "conditions": tuple(sorted(status.conditions, key=lambda one: one.type)),
            "coverage": status.coverage.model_copy(update={"skipped": skipped}),
            "workloads": tuple(sorted(status.workloads, key=lambda one: (one.kind, one.name, one.container))),
            "recommendations": tuple(sorted(status.recommendations, key=lambda one: one.workload)),
            "actions": tuple(sorted(status.actions, key=lambda one: one.workload)),
            "injection_stopped": tuple(sorted(status.injection_stopped, key=lambda one: one.workload)),
        }
    )


def _stuck(observed: Observed, now: datetime) -> tuple[tuple[Pod, ...], tuple[Told, ...]]:
    """Pods to evict, and events for those that nobody would make anew."""
    stopped = {entry.workload: entry for entry in observed.profile.status.injection_stopped}
    evictions: list[Pod] = []
    events: list[Told] = []
    for workload, stop in observed.stops.items():
        entry = stopped.get(workload.label)
        if entry is None or now - entry.since < EVICT_AFTER:
            continue
        for pod in stop.stuck:
            if pod.owner is not None and pod.owner.kind in MAKE_ANEW:
                evictions.append(pod)
            else:
                events.append(_orphan(pod, entry.reason))
    return tuple(evictions), tuple(events)


def _orphan(pod: Pod, reason: str) -> Told:
    note = (
        f"{reason}: the pod does not start or live with Memwarden, and nobody would make it anew. To have it without: "
        f"kubectl get pod {pod.name} -n {pod.namespace} -o yaml > pod.yaml, remove the init "
        f"containers and volumes whose names begin with {names.CONTAINER_SIDECAR}, add the label "
        f'{names.INJECT}: "false", then kubectl replace --force -f pod.yaml'
    )
    return Told(
        Regarding("v1", "Pod", pod.namespace, pod.name, pod.uid),
        names.EVENT_POD_STUCK,
        note,
        "Warning",
        "StopInjection",
    )
