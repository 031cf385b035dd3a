"""Where sidecars wait for commands: thousands at once, without a thread or a connection for each.

Who waits is an entry in a table. While it is not empty, one look a second at the database, for all of them together,
finds what is due, whichever collector it was given to; what is given to this one is looked for at once. A database
that is away makes everybody wait, and is nobody's error.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from memwarden_collector.errors import Overloaded, StoreError
from memwarden_collector.store import commands
from memwarden_collector.store.commands import CommandRow
from memwarden_collector.store.connection import Database
from memwarden_collector.telemetry import Telemetry

LONGEST_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0


class CommandDesk:
    """All methods but `poke` belong to the event loop."""

    def __init__(self, database: Database, max_waiting: int, telemetry: Telemetry) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._telemetry = telemetry
        self._waiting: dict[str, asyncio.Future[list[CommandRow]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poked = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._closing = False
        telemetry.gauge("sidecars_waiting", lambda: len(self._waiting))

    async def wait(self, pod_uid: str, seconds: float) -> list[CommandRow]:
        """What there is to do for this pod, within so many seconds.

        Raises StoreError (without waiting only), Overloaded.

        Who waits for a pod takes the place of who waited for it before.
        """
        if seconds <= 0 or self._closing:
            return (await asyncio.to_thread(self._take, [pod_uid])).get(pod_uid, [])
        self._loop = asyncio.get_running_loop()
        self._answer(pod_uid, [])
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded(
                f"busy: over max_waiting_sidecars={self._max_waiting}; ask again later", reason="waiting"
            )
        answer: asyncio.Future[list[CommandRow]] = self._loop.create_future()
        self._waiting[pod_uid] = answer
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look_round())
        try:
            async with asyncio.timeout(min(seconds, LONGEST_WAIT_SECONDS)):
                return await answer
        except TimeoutError:
            return []
        finally:
            if self._waiting.get(pod_uid) is answer:
                del self._waiting[pod_uid]

    def poke(self) -> None:
        """There may be something new. From any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._poked.set)

    def close(self) -> None:
        """Everybody is answered, and nobody waits any more."""
        self._closing = True
        self._poked.set()
        for pod_uid in tuple(self._waiting):
            self._answer(pod_uid, [])

    def _answer(self, pod_uid: str, found: list[CommandRow]) -> None:
        waiting = self._waiting.pop(pod_uid, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(found)

    async def _look_round(self) -> None:
        while self._waiting and not self._closing:
            with suppress(StoreError, Overloaded):  # told by the database's health
                due = await asyncio.to_thread(self._due)
                if chosen := due & self._waiting.keys():
                    taken = await asyncio.to_thread(self._take, chosen)
                    for pod_uid, found in taken.items():
                        self._answer(pod_uid, found)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._poked.wait()
            self._poked.clear()

    def _due(self) -> set[str]:
        with self._database.lend() as connection:
            return commands.pods_with_due(connection)

    def _take(self, pods: Iterable[str]) -> dict[str, list[CommandRow]]:
        with self._database.lend() as connection:
            taken = commands.take(connection, list(pods))
        for found in taken.values():
            for command in found:
                self._telemetry.count("commands_total", kind=command.kind, what="delivered")
        return taken
