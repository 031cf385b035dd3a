"""Which pod is to go now, and which is not and why. Pure: `plan` is the only place that decides.

1. `when` chooses: pods that its verdict, forecast and usage hold for. A workload without such a pod is not told of.
2. Guards, in the order of `_GUARDS`, the first that forbids says why. Each is a function of one case; `plan` adds the
   cluster's budget, which one workload spends and the next has less of.
3. Of the pods that remain the one nearest to its limit goes; of a StatefulSet the one with the highest number, as its
   own updates do. Never two of a workload: the next waits until all that are wanted are ready.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileSpec
from memwarden_api.v1alpha1.remediation import Action as ActionName
from memwarden_api.v1alpha1.remediation import Remediation, WorkloadActions
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pods import Pod
from memwarden_operator.controller.verdicts import Share, Verdict
from memwarden_operator.controller.words import span as spoken
from memwarden_operator.remediation import ledger
from memwarden_operator.remediation.case import Around, Case
from memwarden_operator.remediation.windows import is_open

FRESH: Final = timedelta(minutes=5)
"""A verdict rests on data that are not older than this, or than four readings where these are rarer."""
READINGS: Final = 4
LEAST_CONFIDENCE: Final = 0.6
RESTARTED: Final = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"))
"""Kinds that make a pod anew as it was. Jobs lose their work; of others nobody knows."""
ROLLED_OUT: Final = frozenset(("Deployment", "StatefulSet", "DaemonSet"))


@dataclass(frozen=True, slots=True)
class Action:
    """It is to be done, unless the mode is DryRun."""

    case: Case
    pod: Pod
    """The one that is meant, or for RolloutRestart the one that is worst off."""
    action: ActionName
    returned: bool
    """The pod came after an earlier action."""
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """It would be done, if a guard did not forbid it."""

    case: Case
    pod: Pod
    action: ActionName
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """One workload's case with all that guards look at."""

    case: Case
    pod: Pod
    verdict: Verdict
    spec: MemoryProfileSpec
    around: Around
    entry: WorkloadActions | None
    now: datetime

    @property
    def rules(self) -> Remediation:
        return self.spec.remediation

    @property
    def dry_run(self) -> bool:
        return self.rules.mode == "DryRun"


def plan(
    cases: Iterable[Case],
    spec: MemoryProfileSpec,
    around: Around,
    entries: Mapping[str, WorkloadActions],
    now: datetime,
) -> list[Action | Refusal]:
    """For each case with a pod that `when` holds for: what is to be done. `entries` by KIND/NAME."""
    decided: list[Action | Refusal] = []
    for case in sorted(cases, key=lambda one: one.workload):
        entry = entries.get(case.workload.label)
        if entry is not None and entry.pending is not None:
            continue  # one at a time; `still` looks after it
        found = chosen(case, spec, entry, now)
        if found is None:
            continue
        decision = _decided(_Asked(case, *found, spec, around, entry, now), _GUARDS)
        decided.append(decision)
        if isinstance(decision, Action):
            around = replace(around, cluster_left=around.cluster_left - 1)
    return decided


def still(
    case: Case, pod: Pod, spec: MemoryProfileSpec, around: Around, entry: WorkloadActions, now: datetime
) -> Refusal | None:
    """Right before it is done: why not, after all. What was decided is counted already, so budgets are not asked."""
    verdict = meant(case, spec, now).get(pod.uid)
    if verdict is None:
        return Refusal(
            case,
            pod,
            spec.remediation.action,
            names.REFUSED_NO_LONGER,
            "what spec.remediation.when asks for does not hold any more",
        )
    asked = _Asked(case, pod, verdict[0], spec, around, entry, now)
    decision = _decided(asked, _STATE_GUARDS)
    return decision if isinstance(decision, Refusal) else None


def chosen(
    case: Case, spec: MemoryProfileSpec, entry: WorkloadActions | None, now: datetime
) -> tuple[Pod, Verdict] | None:
    """The pod to go first and the verdict that says so; None where `when` holds for none."""
    found = meant(case, spec, now)
    pods = [pod for pod in case.pods if pod.uid in found]
    if not pods:
        return None
    if case.workload.kind == "StatefulSet":
        first = max(pods, key=lambda pod: (_ordinal(pod.name), pod.name))
    else:
        first = max(pods, key=lambda pod: (found[pod.uid][1].usage_ratio or 0.0, pod.name))
    return first, found[first.uid][0]


def _ordinal(name: str) -> int:
    number = re.search(r"-(\d+)$", name)
    return int(number[1]) if number else -1


def meant(case: Case, spec: MemoryProfileSpec, now: datetime) -> dict[str, tuple[Verdict, Share]]:
    """Pods that all of `when` holds for, by uid, with the container that is worst off."""
    found: dict[str, tuple[Verdict, Share]] = {}
    living = {pod.uid for pod in case.pods if not pod.over}
    for verdict in case.verdicts:
        for share in verdict.shares:
            if share.pod_uid in living and _holds(share, spec.remediation, now):
                before = found.get(share.pod_uid)
                if before is None or (before[1].usage_ratio or 0.0) < (share.usage_ratio or 0.0):
                    found[share.pod_uid] = verdict, share
    return found


def _holds(share: Share, rules: Remediation, now: datetime) -> bool:
    when = rules.when
    if share.verdict not in when.verdict:
        return False
    if when.usage_above_ratio is not None and (share.usage_ratio or 0.0) <= when.usage_above_ratio:
        return False
    if when.oom_within is None:
        return True
    return share.meets_limit_at is not None and share.meets_limit_at - now <= ledger.span(when.oom_within)


def _decided(asked: _Asked, guards: Sequence["Guard"]) -> Action | Refusal:
    case, pod, action = asked.case, asked.pod, asked.rules.action
    for reason, guard in guards:
        message = guard(asked)
        if message is not None:
            return Refusal(case, pod, action, reason, message)
    acted = ledger.counted(asked.entry, asked.dry_run)
    back = ledger.came_back(acted, asked.rules.limits, pod.created_at, asked.now)
    return Action(case, pod, action, back, f"{pod.name}: {asked.verdict.headline}")


# ── Guards: None, or what forbids it ─────────────────────────────────────────────────────────────────────
Guard = tuple[str, Callable[[_Asked], str | None]]


def _switched_on(asked: _Asked) -> str | None:
    if asked.around.switched_on or asked.dry_run:
        return None
    return "remediation is not switched on in this cluster: set rbac.remediation=true in the chart's values"


def _collector(asked: _Asked) -> str | None:
    collector = asked.around.collector
    if collector.answers:
        return None
    return f"the collector has not answered since {collector.since:%Y-%m-%dT%H:%M:%SZ}: what it said is old"


def _fresh(asked: _Asked) -> str | None:
    bound = max(FRESH, READINGS * ledger.span(asked.spec.sampling.interval))
    share = next(one for one in asked.verdict.shares if one.pod_uid == asked.pod.uid)
    newest = min(asked.verdict.judged_at, share.last_sample_at)
    if asked.now - newest <= bound:
        return None
    age = spoken((asked.now - newest).total_seconds())
    return f"the verdict on {asked.pod.name} rests on data of {age} ago; {spoken(bound.total_seconds())} is the most"


def _sure(asked: _Asked) -> str | None:
    if asked.verdict.confidence >= LEAST_CONFIDENCE:
        return None
    return f"the verdict's confidence is {asked.verdict.confidence:.0%}; {LEAST_CONFIDENCE:.0%} is the least"


def _kind(asked: _Asked) -> str | None:
    kind = asked.case.workload.kind
    kinds = ROLLED_OUT if asked.rules.action == "RolloutRestart" else RESTARTED
    if kind in kinds:
        return None
    return f"pods of a {kind} are left alone; {asked.rules.action} is for {', '.join(sorted(kinds))}"


def _injection(asked: _Asked) -> str | None:
    if not asked.case.injection_stopped:
        return None
    return "injection of the workload is stopped (status.injectionStopped): the new pod would not be watched"


def _injector(asked: _Asked) -> str | None:
    if not asked.around.injector:
        return None
    return f"the new pod might not be watched: {asked.around.injector}"


def _known(asked: _Asked) -> str | None:
    if asked.case.replicas is not None:
        return None
    return "the workload could not be read: how many pods it wants is not known"


def _rollout(asked: _Asked) -> str | None:
    assert asked.case.replicas is not None  # _known has looked
    return "a rollout is in progress; it makes pods anew by itself" if asked.case.replicas.rolling else None


def _leaving(asked: _Asked) -> str | None:
    leaving = [pod.name for pod in asked.case.pods if pod.leaving]
    return f"{leaving[0]} is on its way out: one pod of a workload at a time" if leaving else None


def _ready(asked: _Asked) -> str | None:
    replicas, least = asked.case.replicas, asked.rules.limits.minimum_ready_replicas
    assert replicas is not None  # _known has looked
    if replicas.ready < least:
        return (
            f"{replicas.ready} pods are ready and {least} must be; have more replicas, or set "
            "spec.remediation.limits.minimumReadyReplicas"
        )
    if replicas.ready < replicas.desired:
        return f"{replicas.ready} of {replicas.desired} pods are ready: one pod of a workload at a time"
    return None


def _window(asked: _Asked) -> str | None:
    if is_open(asked.rules.limits.windows, asked.now):
        return None
    return f"{asked.now:%a %H:%M} UTC is in none of spec.remediation.limits.windows"


def _breaker(asked: _Asked) -> str | None:
    limits, acted = asked.rules.limits, ledger.counted(asked.entry, asked.dry_run)
    if not ledger.came_back(acted, limits, asked.pod.created_at, asked.now):
        return None
    count = ledger.returns(acted, limits, asked.now) + 1
    if count < limits.breaker.returns:
        return None
    return (
        f"the leak came back {count} times within {limits.breaker.within}: restarts don't help for long; "
        f"{roll_back(asked.case.workload)}"
    )


def _cooldown(asked: _Asked) -> str | None:
    until = ledger.cools_until(ledger.counted(asked.entry, asked.dry_run), asked.rules.limits)
    if until is None or asked.now >= until:
        return None
    return f"the last action was less than {asked.rules.limits.cooldown} ago; the next may be at {until:%H:%M:%S} UTC"


def _budget(asked: _Asked) -> str | None:
    most = asked.rules.limits.max_per_hour
    if ledger.within_hour(ledger.counted(asked.entry, asked.dry_run), asked.now) < most:
        return None
    return f"spec.remediation.limits.maxPerHour ({most}) is spent"


def _cluster_budget(asked: _Asked) -> str | None:
    if asked.around.cluster_left > 0 or asked.dry_run:
        return None
    return "the cluster's budget for this hour is spent (--remediations-per-hour of the controller)"


def roll_back(workload: Workload) -> str:
    """The advice once restarts are given up."""
    if workload.kind in ROLLED_OUT:
        command = f"kubectl rollout undo {workload.kind.lower()}/{workload.name} -n {workload.namespace}"
        return f"roll back to the version before: {command}"
    return "roll back to the version before"


_STATE_GUARDS: Final[tuple[Guard, ...]] = (
    (names.REFUSED_NOT_SWITCHED_ON, _switched_on),
    (names.REFUSED_COLLECTOR, _collector),
    (names.REFUSED_STALE, _fresh),
    (names.REFUSED_UNSURE, _sure),
    (names.REFUSED_KIND, _kind),
    (names.REFUSED_INJECTION_STOPPED, _injection),
    (names.REFUSED_INJECTOR, _injector),
    (names.REFUSED_UNKNOWN_STATE, _known),
    (names.REFUSED_ROLLOUT, _rollout),
    (names.REFUSED_POD_LEAVING, _leaving),
    (names.REFUSED_TOO_FEW, _ready),
    (names.REFUSED_WINDOW, _window),
)
_GUARDS: Final[tuple[Guard, ...]] = (
    *_STATE_GUARDS,
    (names.REFUSED_BREAKER, _breaker),
    (names.REFUSED_COOLDOWN, _cooldown),
    (names.REFUSED_BUDGET, _budget),
    (names.REFUSED_CLUSTER_BUDGET, _cluster_budget),
)
