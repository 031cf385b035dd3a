"""Which containers wait for a full judgement, and in which order. Pure."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from memwarden_collector.analysis.watch import Looked
from memwarden_collector.settings import Analysis
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind

_AGAIN_INTERVALS: Final = 10
_AGAIN_SHARE: Final = 0.05
"""A suspect that the judge found at rest is judged again after so many intervals, and after this share of the time over
which it seems to grow: what takes a day to show changes little in a minute. So is one that leaks, by how long it has.
"""
_LEAKING_SECONDS: Final = 600.0
"""One that leaks is judged again after this much at the latest: its forecast, its end. One at risk is judged each time.
All of them each time would cost as much as all else together.
"""


class Wish(IntEnum):
    """How urgently; the lowest first."""

    GROWING = 0
    SUSPECT = 1
    NOT_HEALTHY = 2
    NEW = 3
    ROTATION = 4


def wish(looked: Looked, now: float, settings: Analysis, judge_settings: JudgeSettings) -> Wish | None:
    """Whether a container that the screen has looked at is judged in full; `now` by the monotonic clock."""
    one = looked.watched
    if one.at - one.first_seen < judge_settings.warm_up_ticks * one.interval:
        return None  # the judge would say so, too: too early
    since = now - one.judged_by_clock
    if not one.judged:
        return Wish.NEW if looked.suspect_seconds is None else Wish.SUSPECT
    if one.kind is Kind.LEAKING and not one.at_risk:
        age = 0.0 if one.grows_since is None else one.at - one.grows_since
        return Wish.GROWING if since >= min(_LEAKING_SECONDS, _AGAIN_SHARE * age) else None
    if one.kind in (Kind.LEAKING, Kind.GROWING):
        return Wish.GROWING
    again = max(_AGAIN_INTERVALS * one.interval, _AGAIN_SHARE * (looked.suspect_seconds or 0.0))
    if looked.suspect_seconds is not None and since >= again:
        return Wish.SUSPECT
    if one.kind is not Kind.HEALTHY and since >= _AGAIN_INTERVALS * one.interval:
        return Wish.NOT_HEALTHY
    return Wish.ROTATION if since >= settings.full_every_seconds else None


@dataclass(slots=True)
class Queue:
    """Names, each once."""

    _waiting: dict[str, tuple[Wish, float]] = field(default_factory=dict)
    """With when it began to wait."""

    def want(self, name: str, wanted: Wish | None, now: float) -> None:
        """Ask for it; a wish that is more urgent than the one that waits takes its place in the order."""
        if wanted is None:
            return
        before = self._waiting.get(name)
        if before is None:
            self._waiting[name] = (wanted, now)
        elif wanted < before[0]:
            self._waiting[name] = (wanted, before[1])

    def next(self) -> list[str]:
        """The most urgent first, of those the longest waiting."""
        return sorted(self._waiting, key=lambda name: self._waiting[name])

    def done(self, name: str) -> None:
        self._waiting.pop(name, None)

    def lag(self, now: float) -> float:
        """How long the one has waited that waits longest and is more than routine."""
        urgent = [at for wanted, at in list(self._waiting.values()) if wanted <= Wish.NOT_HEALTHY]
        return now - min(urgent) if urgent else 0.0
