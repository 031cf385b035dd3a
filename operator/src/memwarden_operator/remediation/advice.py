"""What would help a workload, with the memory that is at stake. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_api.v1alpha1.remediation import MAX_WORKLOADS, Recommendation, WorkloadActions
from memwarden_operator.controller import steady
from memwarden_operator.controller.words import restart
from memwarden_operator.remediation import ledger
from memwarden_operator.remediation.case import Case
from memwarden_operator.remediation.plan import meant, roll_back


def recommended(
    profile: MemoryProfile, cases: Sequence[Case], entries: Mapping[str, WorkloadActions], now: datetime
) -> tuple[Recommendation, ...]:
    """One for each workload with a pod that `when` holds for, the most bytes first."""
    before = {one.workload: one for one in profile.status.recommendations}
    made = [
        one for case in cases if (one := _of(case, profile, entries.get(case.workload.label), before, now))
    ]
    return tuple(sorted(made, key=lambda one: (-one.bytes_at_stake, one.workload))[:MAX_WORKLOADS])


def _of(
    case: Case,
    profile: MemoryProfile,
    entry: WorkloadActions | None,
    before: Mapping[str, Recommendation],
    now: datetime,
) -> Recommendation | None:
    found = meant(case, profile.spec, now)
    if not found:
        return None
    old = before.get(case.workload.label)
    limits = profile.spec.remediation.limits
    acted = ledger.counted(entry, profile.spec.remediation.mode == "DryRun")
    given_up = ledger.returns(acted, limits, now) + 1 >= limits.breaker.returns and any(
        ledger.came_back(acted, limits, pod.created_at, now) for pod in case.pods if pod.uid in found
    )
    kind: Literal["Restart", "RollBack"] = "RollBack" if given_up else "Restart"
    held = sum(
        (share.growth_bytes_per_second or 0.0) * max((now - share.first_seen).total_seconds(), 0.0)
        for _, share in found.values()
    )
    work = case.workload
    help_ = roll_back(work) if given_up else restart(work.kind, work.name, work.namespace)
    what = (
        f"{len(found)} pods hold memory that they don't give back"
        if len(found) > 1
        else ("a pod holds memory that it does not give back")
    )
    same = old is not None and old.kind == kind
    return Recommendation(
        workload=work.label,
        kind=kind,
        message=f"{what}; {help_}"[:1024],
        bytes_at_stake=steady.number(held, old.bytes_at_stake if old is not None else None) or 0,
        since=old.since if old is not None and same else now.replace(microsecond=0),
    )
