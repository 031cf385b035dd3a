"""What was done to workloads, as budgets, cooldown and breaker count it. Pure, on entries of a profile's status."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from memwarden_api.quantities import duration_seconds
from memwarden_api.v1alpha1.remediation import MAX_ACTIONS, Acted, RemediationLimits, WorkloadActions

HOUR: Final = timedelta(hours=1)


def span(text: str) -> timedelta:
    """A duration as users write it."""
    return timedelta(seconds=duration_seconds(text))


def counted(entry: WorkloadActions | None, dry_run: bool) -> tuple[Acted, ...]:
    """Those of the mode: what was only tried does not count for what is done."""
    return tuple(one for one in entry.acted if one.dry_run == dry_run) if entry is not None else ()


def within_hour(acted: Iterable[Acted], now: datetime) -> int:
    return sum(1 for one in acted if now - one.time < HOUR)


def cools_until(acted: Iterable[Acted], limits: RemediationLimits) -> datetime | None:
    """When the next may be done; None: nothing was done."""
    last = max((one.time for one in acted), default=None)
    return last + span(limits.cooldown) if last is not None else None


def came_back(acted: Iterable[Acted], limits: RemediationLimits, made_at: datetime, now: datetime) -> bool:
    """Whether a pod came instead of one that was sent away, or since then, as far as it counts.

    Since the decision: the pod that comes instead is there before it is known that the other one went.
    """
    since = now - span(limits.breaker.within)
    return any(since < one.time and one.decided <= made_at and not one.injects for one in acted)


def returns(acted: Iterable[Acted], limits: RemediationLimits, now: datetime) -> int:
    since = now - span(limits.breaker.within)
    return sum(1 for one in acted if one.returned and one.time > since)


def kept(entry: WorkloadActions, limits: RemediationLimits, now: datetime) -> WorkloadActions | None:
    """Without what no longer counts; None where nothing is left."""
    longest = max(HOUR, span(limits.cooldown), span(limits.breaker.within))
    acted = tuple(one for one in entry.acted if now - one.time < longest)[-MAX_ACTIONS:]
    if not acted and entry.pending is None:
        return None
    return entry.model_copy(update={"acted": acted})
