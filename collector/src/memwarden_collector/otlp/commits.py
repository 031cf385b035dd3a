"""Waiting for commits on the event loop, cheap where many wait: one wake-up for all batches of a transaction, one timer
for all deadlines.

asyncio's own way (wrap_future, shield, timeout) is three futures, two callbacks across threads and a timer for each
request, which is more than all the rest of a small request.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Final

_Done = tuple["asyncio.Future[bool]", "Future[bool]"]
_MIN_DELAY: Final = 0.01


class Commits:
    """Of one event loop; `wait` belongs to its thread."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._finished: list[_Done] = []
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, committed: Future[bool]) -> bool:
        """Its result, or TimeoutError after `seconds`. Who is cancelled meanwhile leaves the commit as it is."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        committed.add_done_callback(partial(self._finish, loop, waiter))
        self._waiting.append((loop.time() + self._seconds, waiter))
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._expire, loop)
        return await waiter

    def _finish(
        self, loop: asyncio.AbstractEventLoop, waiter: "asyncio.Future[bool]", committed: "Future[bool]"
    ) -> None:
        """In whichever thread it was finished; the first one wakes the loop."""
        with self._lock:
            self._finished.append((waiter, committed))
            if len(self._finished) > 1:
                return
        try:
            loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _deliver(self) -> None:
        with self._lock:
            finished, self._finished = self._finished, []
        for waiter, committed in finished:
            # Asked for even where nobody waits any more: what nobody reads would be logged.
            error = None if committed.cancelled() else committed.exception()
            if waiter.done():
                continue
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(committed.result())
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= now):
            _, waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(TimeoutError())
        self._timer = None
        if self._waiting:
            delay = max(_MIN_DELAY, self._waiting[0][0] - now)
            self._timer = loop.call_later(delay, self._expire, loop)
