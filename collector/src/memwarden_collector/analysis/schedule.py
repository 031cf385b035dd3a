"""When a scope is judged: once in so many of its intervals, and only when it has new data. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from memwarden_collector.settings import Analysis


@dataclass(slots=True)
class Schedule:
    """Times are seconds of the monotonic clock. A scope that is silent for an hour is forgotten."""

    settings: Analysis
    _waiting: dict[str, float] = field(default_factory=dict)
    """Scopes with new data → interval."""
    _up_to_date: set[str] = field(default_factory=set)
    """Judged by who did it before, with all that is there: the next time it is said to be new, it is not."""
    _judged: dict[str, float] = field(default_factory=dict)

    def changed(self, scope: str, interval: float | None) -> None:
        """It got new data."""
        if scope in self._up_to_date:
            self._up_to_date.discard(scope)
            return
        self._waiting[scope] = interval or 0.0

    def up_to_date(self, scope: str) -> None:
        """Nothing is new of it: what is told of it first was judged before."""
        self._up_to_date.add(scope)

    def due(self, now: float) -> list[str]:
        """Scopes to judge now, the longest waiting first."""
        found = [scope for scope, interval in self._waiting.items() if now >= self._next(scope, interval)]
        return sorted(found, key=lambda scope: self._judged.get(scope, 0.0))

    def judged(self, scope: str, now: float) -> None:
        """It was judged, or can't be: not again before its time."""
        self._waiting.pop(scope, None)
        self._judged[scope] = now

    def forget(self, now: float, after: float = 3600.0) -> None:
        """Bound what is remembered."""
        self._judged = dict(_recent(self._judged.items(), now - after))

    def remembered(self) -> set[str]:
        """Scopes that were judged lately."""
        return set(self._judged)

    def _next(self, scope: str, interval: float) -> float:
        last = self._judged.get(scope)
        if last is None:
            return 0.0
        return last + max(self.settings.judge_every_intervals * interval, self.settings.judge_min_seconds)


def _recent(items: Iterable[tuple[str, float]], since: float) -> Iterable[tuple[str, float]]:
    return ((key, value) for key, value in items if value >= since)
