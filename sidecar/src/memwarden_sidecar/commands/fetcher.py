"""Fetches commands by long polls over a connection of its own, and brings the answers back: one thread.

What fails costs a pause that doubles, and a collector that knows no commands is asked again after an hour. A command
may come twice: what was answered is answered again, and not done again.
"""

import json
import queue
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from memwarden_api import names
from memwarden_sidecar.commands.order import Order, Result, orders
from memwarden_sidecar.errors import Unreachable
from memwarden_sidecar.export.link import Answer, Link
from memwarden_sidecar.export.transport import seconds_to_wait
from memwarden_sidecar.notices import LOGGER
from memwarden_sidecar.settings import (
    COMMAND_BACKOFF_SECONDS,
    COMMAND_POLL_SECONDS,
    COMMAND_SECONDS,
    NO_COMMANDS_SECONDS,
    REQUEST_SECONDS,
)

_REMEMBERED: Final = 128
_NOT_THERE: Final = frozenset({404, 405, 501})
_LEAST_SECONDS: Final = 1.0
"""A collector that does not let us wait is asked no more often than this."""
_SPARE_SECONDS: Final = 5.0
_LAST_WAIT_SECONDS: Final = 0.3


class Fetcher:
    """`wake` is called by the thread when `received` has something."""

    def __init__(
        self, link: Link, pod_uid: str, wake: Callable[[], None], chance: Callable[[], float] = random.random
    ) -> None:
        self._link = link
        self._pod_uid = pod_uid
        self._wake = wake
        self._chance = chance
        self._received: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._answered: OrderedDict[str, Result] = OrderedDict()
        self._failures = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memwarden-commands", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def received(self) -> list[Order]:
        """Those that came since the last call."""
        found = []
        while not self._received.empty():
            found.append(self._received.get())
        return found

    def answer(self, result: Result) -> None:
        """What became of one."""
        self._results.put(result)

    def close(self) -> None:
        """The thread ends, or is left behind: it holds nothing that is worth waiting for."""
        self._closing.set()
        self._results.put(None)
        self._link.abort()
        self._thread.join(_LAST_WAIT_SECONDS)

    # ── The thread ───────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                pause = self._round()
            except Unreachable as error:
                LOGGER.debug("commands can't be fetched: %s", error)
                pause = self._backoff(0.0)
            self._closing.wait(max(pause, _LEAST_SECONDS - (time.monotonic() - began)))
        self._link.close()

    def _round(self) -> float:
        """One poll and what comes of it; seconds to pause. Raises Unreachable."""
        path = f"{names.COMMANDS_PATH}/next?pod_uid={quote(self._pod_uid, safe='')}&wait={COMMAND_POLL_SECONDS:g}"
        answer = self._link.request("GET", path, seconds=COMMAND_POLL_SECONDS + REQUEST_SECONDS)
        if answer.status in _NOT_THERE:
            LOGGER.info("the collector has no commands to give; it is asked again in an hour")
            return NO_COMMANDS_SECONDS
        if answer.status != 200:
            LOGGER.debug("commands can't be fetched: HTTP %d", answer.status)
            return self._backoff(seconds_to_wait(answer.headers.get("retry-after", ""), time.time()))
        try:
            found = orders(answer.body, answer.headers.get("date", ""))
        except ValueError:
            LOGGER.debug("the collector's answer holds no commands")
            return self._backoff(0.0)
        self._failures = 0
        self._have_done(found)
        return 0.0

    def _backoff(self, asked: float) -> float:
        first, last = COMMAND_BACKOFF_SECONDS
        self._failures += 1
        pause: float = min(last, first * 2 ** min(self._failures - 1, 10))
        return max(pause * (0.5 + 0.5 * self._chance()), asked)

    def _have_done(self, found: list[Order]) -> None:
        """Hand over what is new, and send results until all of it is answered, or should have been."""
        new = {order.id: order for order in found if order.id not in self._answered}
        for order in found:
            if order.id in self._answered:
                self._send(self._answered[order.id])
        for order in new.values():
            self._received.put(order)
        if new:
            self._wake()
        until = time.monotonic() + COMMAND_SECONDS + _SPARE_SECONDS
        waiting = set(new)
        while waiting and not self._closing.is_set():
            try:
                result = self._results.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return  # it comes again
            if result is not None:
                waiting.discard(result.id)
                self._remember(result)
                self._send(result)

    def _remember(self, result: Result) -> None:
        self._answered[result.id] = result
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    def _send(self, result: Result) -> Answer:
        body = {"done": result.done, "message": result.message, "at": datetime.now(UTC).isoformat()}
        path = f"{names.COMMANDS_PATH}/{quote(result.id, safe='')}/result"
        headers = {"Content-Type": "application/json"}
        return self._link.request("POST", path, json.dumps(body).encode(), headers)
