"""A bounded cache that follows a transaction: what was learnt inside of it is kept only after its commit."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class StagedCache(Generic[K, V]):
    """For one thread. When it is full, the older half goes; what was asked for again lately is not
    followed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[K, V] = {}
        self._staged: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        staged = self._staged.get(key)
        return self._kept.get(key) if staged is None else staged

    def stage(self, key: K, value: V) -> None:
        self._staged[key] = value

    def commit(self) -> None:
        self._kept.update(self._staged)
        self._staged.clear()
        if len(self._kept) > self._limit:
            for key in list(self._kept)[: len(self._kept) - self._limit // 2]:
                del self._kept[key]

    def rollback(self) -> None:
        self._staged.clear()

    def clear(self) -> None:
        self._kept.clear()
        self._staged.clear()

    def __len__(self) -> int:
        return len(self._kept)
