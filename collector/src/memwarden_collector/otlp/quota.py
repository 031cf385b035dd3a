"""How many rows may be stored in a second: by all senders together, and by one scope.

Token buckets that fill by the second. A request is taken when its bucket is not empty, and may leave a debt: so a
request that is larger than a whole burst still gets through, once in a while, instead of coming again for ever.
"""

import threading
from collections import OrderedDict
from typing import Final

from memwarden_collector.batch import ResourceBlock
from memwarden_collector.errors import OverQuota
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits

_MAX_SCOPES: Final = 20_000
_ALL: Final = "max_points_per_second"
_SCOPE: Final = "max_scope_points_per_second"


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
    """Both quotas. Safe to use from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._all = Buckets(limits.max_points_per_second, limits.quota_burst_seconds)
        self._scopes = Buckets(limits.max_scope_points_per_second, limits.quota_burst_seconds)

    def take(self, blocks: list[ResourceBlock], rejections: Rejections, now: float) -> list[ResourceBlock]:
        """The blocks within the quotas; `now` is monotonic. Raises OverQuota when nothing is left.

        A scope that has had its share loses its blocks where others come in the same request, because these must
        not wait for it.
        """
        with self._lock:
            if wait := self._all.wait("", now):
                raise self._refusal(_ALL, self._limits.max_points_per_second, wait)
            waits = {
                scope: self._scopes.wait(scope, now) for scope in {block.identity.scope for block in blocks}
            }
            if waits and all(waits.values()):
                raise self._refusal(_SCOPE, self._limits.max_scope_points_per_second, min(waits.values()))
            taken = [block for block in blocks if not waits[block.identity.scope]]
            self._all.spend("", sum(block.rows for block in taken), now)
            for block in taken:
                self._scopes.spend(block.identity.scope, block.rows, now)
        for block in blocks:
            if waits[block.identity.scope]:
                limit = f"{_SCOPE}={self._limits.max_scope_points_per_second:g}"
                rejections.reject("scope_quota", f"its scope is over {limit}", block.items)
        return taken

    @staticmethod
    def _refusal(name: str, value: float, wait: float) -> OverQuota:
        return OverQuota(
            f"over {name}={value:g}; send it again in {wait:.0f} s",
            reason="quota" if name == _ALL else "scope_quota",
            retry_seconds=wait,
        )
