"""Readers that wait for something new: none of them holds a thread or a connection of the database.

One task asks the database for all of them, once a second while anybody waits.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from weakref import WeakSet

from memwarden_collector.errors import CollectorError

_log = logging.getLogger(__name__)
_POLL_SECONDS: Final = 1.0
MAX_READERS: Final = 5000


_ALL: WeakSet["Waiting"] = WeakSet()


class TooManyReaders(CollectorError):
    """So many wait already; the text says how many may."""


def end_waiting() -> None:
    """The process is about to end: all who wait are answered. In the event loop."""
    for one in list(_ALL):
        one.close()


class Waiting:
    """For one event loop. `read` gives a number that only grows; it is called in a thread and may raise."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._waiters: dict[asyncio.Future[None], int] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        _ALL.add(self)

    async def beyond(self, number: int, seconds: float) -> bool:
        """Whether the number went beyond this one within the time. Raises TooManyReaders."""
        if self._closed:
            return False
        if len(self._waiters) >= MAX_READERS:
            raise TooManyReaders(
                f"{MAX_READERS} readers wait already, which is the most: ask without waiting"
            )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[future] = number
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters.pop(future, None)
        return not self._closed

    def close(self) -> None:
        """Nobody waits any more, from now on."""
        self._closed = True
        for future in self._waiters:
            if not future.done():
                future.set_result(None)

    async def _poll(self) -> None:
        while self._waiters and not self._closed:
            # A database that is away is waited for, too: who waits is told when its time is up.
            with suppress(CollectorError):
                self._tell(await asyncio.to_thread(self._read))
            await asyncio.sleep(_POLL_SECONDS)

    def _tell(self, number: int) -> None:
        for future, last in list(self._waiters.items()):
            if number > last and not future.done():
                future.set_result(None)
