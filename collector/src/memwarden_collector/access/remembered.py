"""Answers that are asked for once and known for a while.

Several that ask for the same wait for one answer. An answer that has grown old is asked for again; when nobody can be
asked, what was a yes goes on as long as it says of itself, and what is not known is not known. Bounded: what was used
longest ago is forgotten. For one event loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from memwarden_collector.errors import Overloaded

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """`fresh_until`: not asked again before; `good_until`: still taken then where nobody can be asked. Monotonic."""

    value: V
    fresh_until: float
    good_until: float


class Remembered(Generic[V]):
    """`now` is a monotonic clock in seconds."""

    def __init__(self, size: int, now: Callable[[], float]) -> None:
        self._size = size
        self._now = now
        self._known: OrderedDict[Hashable, Answer[V]] = OrderedDict()
        self._asked: dict[Hashable, asyncio.Task[Answer[V]]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Answer[V]]]) -> V:
        """The answer, asked for where it is not known. Raises Overloaded where that can't be, and what `ask` raises."""
        known = self._known.get(key)
        if known is not None and self._now() < known.fresh_until:
            self._known.move_to_end(key)
            return known.value
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            # Shielded: who goes away does not take the answer from the others.
            return (await asyncio.shield(task)).value
        except Overloaded:
            if known is not None and self._now() < known.good_until:
                return known.value
            raise

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[Answer[V]]]) -> Answer[V]:
        try:
            answer = await ask()
        finally:
            del self._asked[key]
        self._known[key] = answer
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        return answer
