"""How often a profile's status is written. Pure.

Numbers wait until so much time has passed since the last write. News (a condition, a verdict, who is reached) is told
at once as long as it comes rarely: a few writes may follow each other, and on average there are no more of them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from memwarden_api.v1alpha1 import MemoryProfileStatus

AT_ONCE: Final = 4
"""Writes that may follow each other: a new profile, its pods injected, all of them reporting, and one more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one profile's status, as this process has written it."""

    written_at: datetime | None = None
    paid_until: datetime | None = None
    """When it would have been written last if each write had kept its distance (generic cell rate algorithm)."""

    def wrote(self, now: datetime, every: timedelta) -> "Pace":
        return Pace(now, max(now, self.paid_until or now) + every)

    def due(self, now: datetime, every: timedelta, *, news: bool) -> datetime:
        """The earliest moment for the next write; one that has passed means now."""
        if self.written_at is None or self.paid_until is None:
            return now
        numbers = self.written_at + every
        return min(numbers, self.paid_until - (AT_ONCE - 1) * every) if news else numbers


def is_news(before: MemoryProfileStatus, after: MemoryProfileStatus) -> bool:
    """Whether more differs than numbers and sentences."""
    return _heads(before) != _heads(after)


def _heads(status: MemoryProfileStatus) -> tuple[object, ...]:
    reached = status.coverage
    return (
        {(one.type, one.status, one.reason) for one in status.conditions},
        {(one.kind, one.name, one.container, one.verdict) for one in status.workloads},
        (reached.matched, reached.injected, reached.reporting),
        {one.workload for one in status.injection_stopped},
    )
