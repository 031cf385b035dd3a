"""A bounded cache that follows a transaction: what was learnt inside of it is kept only after its commit."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class StagedCache(Generic[K, V]):
    """For one thread. `weigh` says what an entry takes of the limit, 1 where it is left out.

    When it is full, the older half goes; what was asked for again lately is not followed.
    """

    def __init__(self, limit: int, weigh: Callable[[K, V], int] | None = None) -> None:
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._kept: dict[K, V] = {}
        self._staged: dict[K, V] = {}

    @property
    def weight(self) -> int:
        return self._weight

    def get(self, key: K) -> V | None:
        staged = self._staged.get(key)
        return self._kept.get(key) if staged is None else staged

    def split(self, keys: Iterable[K]) -> tuple[dict[K, V], list[K]]:
        """What is known of the keys, and those that are not."""
        found: dict[K, V] = {}
        missing: list[K] = []
        kept, staged = self._kept, self._staged
        for key in keys:
            value = kept.get(key) if key not in staged else staged[key]
            if value is None:
                missing.append(key)
            else:
                found[key] = value
        return found, missing

    def stage(self, key: K, value: V) -> None:
        self._staged[key] = value

    def commit(self) -> None:
        for key, value in self._staged.items():
            if key in self._kept:
                self._weight -= self._weight_of(key, self._kept[key])
            self._weight += self._weight_of(key, value)
            self._kept[key] = value
        self._staged.clear()
        if self._weight > self._limit:
            for key in list(self._kept):
                if self._weight <= self._limit // 2:
                    break
                self._weight -= self._weight_of(key, self._kept.pop(key))

    def rollback(self) -> None:
        self._staged.clear()

    def clear(self) -> None:
        self._kept.clear()
        self._staged.clear()
        self._weight = 0

    def _weight_of(self, key: K, value: V) -> int:
        return 1 if self._weigh is None else self._weigh(key, value)

    def __len__(self) -> int:
        return len(self._kept)
