"""How many rows may be stored in a second: by all senders together, and by one scope; and how many new names a scope
may bring in an hour, which stay in the database: series, and processes or foreign resources.

Token buckets that fill by the second. A request is taken when its bucket is not empty, and may leave a debt: so a
request that is larger than a whole burst still gets through, once in a while, instead of coming again for ever.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from memwarden_collector.batch import ResourceBlock
from memwarden_collector.errors import OverQuota
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits

_MAX_SCOPES: Final = 20_000
_ALL: Final = "max_points_per_second"
_SCOPE: Final = "max_scope_points_per_second"
_NEW_SERIES: Final = "max_scope_new_series"
_NEW_RESOURCES: Final = "max_scope_new_resources"
_REASONS: Final = {
    _ALL: "quota",
    _SCOPE: "scope_quota",
    _NEW_SERIES: "scope_new_series",
    _NEW_RESOURCES: "scope_new_resources",
}
_HOUR: Final = 3600.0


class Buckets:
    """Token buckets by name, those used last. `rate` 0 lets everything through. Not safe for several threads."""

    def __init__(self, rate: float, burst_seconds: float) -> None:
        self._rate = rate
        self._burst = rate * burst_seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, name: str, now: float) -> float:
        """Seconds until it is not empty, 0 when it isn't."""
        return max(0.0, -self._at(name, now) / self._rate) if self._rate else 0.0

    def spend(self, name: str, amount: int, now: float) -> None:
        if self._rate:
            self._left[name] = (self._at(name, now) - amount, now)
            self._left.move_to_end(name)
            if len(self._left) > _MAX_SCOPES:
                self._left.popitem(last=False)

    def _at(self, name: str, now: float) -> float:
        left, then = self._left.get(name, (self._burst, now))
        return min(self._burst, left + (now - then) * self._rate)


class Quota:
    """All quotas. Safe to use from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._all = Buckets(limits.max_points_per_second, limits.quota_burst_seconds)
        self._of_scopes = {
            _SCOPE: Buckets(limits.max_scope_points_per_second, limits.quota_burst_seconds),
            _NEW_SERIES: Buckets(limits.max_scope_new_series / _HOUR, _HOUR),
            _NEW_RESOURCES: Buckets(limits.max_scope_new_resources / _HOUR, _HOUR),
        }

    def take(self, blocks: list[ResourceBlock], rejections: Rejections, now: float) -> list[ResourceBlock]:
        """The blocks within the quotas; `now` is monotonic. Raises OverQuota when nothing is left.

        A scope that has had its share loses its blocks where others come in the same request, because these must
        not wait for it.
        """
        with self._lock:
            if wait := self._all.wait("", now):
                raise self._refusal(_ALL, wait)
            waits = {scope: self._wait(scope, now) for scope in {block.identity.scope for block in blocks}}
            if waits and all(wait for wait, _ in waits.values()):
                wait, name = min(waits.values())
                raise self._refusal(name, wait)
            taken = [block for block in blocks if not waits[block.identity.scope][0]]
            self._all.spend("", sum(block.rows for block in taken), now)
            for block in taken:
                self._of_scopes[_SCOPE].spend(block.identity.scope, block.rows, now)
        for block in blocks:
            wait, name = waits[block.identity.scope]
            if wait:
                limit = f"{name}={getattr(self._limits, name):g}"
                rejections.reject(_REASONS[name], f"its scope is over {limit}", block.items)
        return taken

    def note_new(self, series: Mapping[str, int], resources: Mapping[str, int], now: float) -> None:
        """Names that the database did not have before, by scope."""
        with self._lock:
            for name, made in ((_NEW_SERIES, series), (_NEW_RESOURCES, resources)):
                for scope, count in made.items():
                    self._of_scopes[name].spend(scope, count, now)

    def _wait(self, scope: str, now: float) -> tuple[float, str]:
        """The longest of its waits, and for which limit."""
        return max((buckets.wait(scope, now), name) for name, buckets in self._of_scopes.items())

    def _refusal(self, name: str, wait: float) -> OverQuota:
        return OverQuota(
            f"over {name}={getattr(self._limits, name):g}; send it again in {wait:.0f} s",
            reason=_REASONS[name],
            retry_seconds=wait,
        )
