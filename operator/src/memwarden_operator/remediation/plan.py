"""Which pod is to go now, and which is not and why. Pure: `plan` is the only place that decides.

1. `when` chooses: pods that its verdict, forecast and usage hold for. Of a workload without such a pod only what
   `bringing_in` says of missed pods is told.
2. Guards, in the order of `_GUARDS`, the first that forbids says why. Each is a function of one case; `plan` adds the
   cluster's budget, which one workload spends and the next has less of.
3. Of the pods that remain the one nearest to its limit goes; of a StatefulSet the one with the highest number, as its
   own updates do. Never two of a workload: the next waits until all that are wanted are ready.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileSpec
from memwarden_api.v1alpha1.remediation import Remediation, WorkloadActions
from memwarden_operator.controller.owners import Workload
from memwarden_operator.controller.pods import Pod
from memwarden_operator.controller.verdicts import Share, Verdict
from memwarden_operator.controller.words import span as spoken
from memwarden_operator.remediation import guards, ledger
from memwarden_operator.remediation.bringing_in import missed
from memwarden_operator.remediation.case import Action, Around, Case, Refusal
from memwarden_operator.remediation.guards import ROLLED_OUT, Asked, Guard, forbidden

FRESH: Final = timedelta(minutes=5)
"""A verdict rests on data that are not older than this, or than four readings where these are rarer."""
READINGS: Final = 4
LEAST_CONFIDENCE: Final = 0.6


@dataclass(frozen=True, slots=True)
class _AboutPod(Asked):
    """With the pod that is meant, and what is said of it."""

    pod: Pod
    verdict: Verdict


def plan(
    cases: Iterable[Case],
    spec: MemoryProfileSpec,
    around: Around,
    entries: Mapping[str, WorkloadActions],
    now: datetime,
) -> list[Action | Refusal]:
    """For each case with a pod that `when` holds for, or that was missed. `entries` by KIND/NAME."""
    decided: list[Action | Refusal] = []
    for case in sorted(cases, key=lambda one: one.workload):
        entry = entries.get(case.workload.label)
        if entry is not None and entry.pending is not None:
            continue  # one at a time; `still` looks after it
        # One decision for a workload: a leak's comes first, whatever it is.
        decision = _of_leak(case, spec, around, entry, now) or missed(case, spec, around, entry, now)
        if decision is None:
            continue
        decided.append(decision)
        if isinstance(decision, Action):
            around = replace(around, cluster_left=around.cluster_left - 1)
    return decided


def _of_leak(
    case: Case, spec: MemoryProfileSpec, around: Around, entry: WorkloadActions | None, now: datetime
) -> Action | Refusal | None:
    """None: `when` holds for no pod of it, or nothing is asked for."""
    if spec.remediation.mode not in ("DryRun", "Act"):
        return None
    found = chosen(case, spec, entry, now)
    if found is None:
        return None
    return _decided(_AboutPod(case, spec.remediation.action, spec, around, entry, now, *found))


def still(
    case: Case, pod: Pod, spec: MemoryProfileSpec, around: Around, entry: WorkloadActions, now: datetime
) -> tuple[str, str] | None:
    """Right before it is done: why not, after all. What was decided is counted already, so budgets are not asked."""
    verdict = meant(case, spec, now).get(pod.uid)
    if verdict is None:
        return names.REFUSED_NO_LONGER, "what spec.remediation.when asks for does not hold any more"
    asked = _AboutPod(case, spec.remediation.action, spec, around, entry, now, pod, verdict[0])
    return forbidden(asked, _STATE_GUARDS)


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


def _decided(asked: _AboutPod) -> Action | Refusal:
    case, pod, action = asked.case, asked.pod, asked.action
    if (said := forbidden(asked, _GUARDS)) is not None:
        return Refusal(case, pod, action, *said)
    acted = ledger.counted(asked.entry, asked.dry_run)
    back = ledger.came_back(acted, asked.rules.limits, pod.created_at, asked.now)
    return Action(case, pod, action, back, f"{pod.name}: {asked.verdict.headline}")


# ── Guards that ask for the verdict ──────────────────────────────────────────────────────────────────────
def _collector(asked: _AboutPod) -> str | None:
    collector = asked.around.collector
    if collector.answers:
        return None
    return f"the collector has not answered since {collector.since:%Y-%m-%dT%H:%M:%SZ}: what it said is old"


def _fresh(asked: _AboutPod) -> str | None:
    bound = max(FRESH, READINGS * ledger.span(asked.spec.sampling.interval))
    share = next(one for one in asked.verdict.shares if one.pod_uid == asked.pod.uid)
    newest = min(asked.verdict.judged_at, share.last_sample_at)
    if asked.now - newest <= bound:
        return None
    age = spoken((asked.now - newest).total_seconds())
    return f"the verdict on {asked.pod.name} rests on data of {age} ago; {spoken(bound.total_seconds())} is the most"


def _sure(asked: _AboutPod) -> str | None:
    if asked.verdict.confidence >= LEAST_CONFIDENCE:
        return None
    return f"the verdict's confidence is {asked.verdict.confidence:.0%}; {LEAST_CONFIDENCE:.0%} is the least"


def _breaker(asked: _AboutPod) -> str | None:
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


def roll_back(workload: Workload) -> str:
    """The advice once restarts are given up."""
    if workload.kind in ROLLED_OUT:
        command = f"kubectl rollout undo {workload.kind.lower()}/{workload.name} -n {workload.namespace}"
        return f"roll back to the version before: {command}"
    return "roll back to the version before"


_STATE_GUARDS: Final[tuple[Guard[_AboutPod], ...]] = (
    (names.REFUSED_NOT_SWITCHED_ON, guards.switched_on),
    (names.REFUSED_COLLECTOR, _collector),
    (names.REFUSED_STALE, _fresh),
    (names.REFUSED_UNSURE, _sure),
    *guards.STATE,
)
_GUARDS: Final[tuple[Guard[_AboutPod], ...]] = (
    *_STATE_GUARDS,
    (names.REFUSED_BREAKER, _breaker),
    *guards.BUDGETS,
)
