"""The sender: one thread that brings batches to the collector, and keeps what it can't bring.

Live batches and the backlog take turns, each from its oldest: after an outage the past catches up and the
present is not late. While the collector is away everything goes to the backlog, and after a pause that
doubles up to BACKOFF_LAST_SECONDS one batch tries again. A batch keeps its id, so that one whose
acknowledgement was lost counts once.
"""

import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from memwarden_sidecar.export.backlog import Backlog
from memwarden_sidecar.export.batch import Batch
from memwarden_sidecar.export.transport import Outcome, Transport, Verdict
from memwarden_sidecar.notices import LOGGER, Notices
from memwarden_sidecar.settings import (
    BACKOFF_FIRST_SECONDS,
    BACKOFF_LAST_SECONDS,
    FLUSH_SECONDS,
    LIVE_BATCHES,
    TRIES_OF_A_FAULT,
)

LAST_WAIT_SECONDS: Final = 0.5
"""After a request was broken off its thread has this long to end."""


class Sender:
    """`offer` never waits. After `close` nothing is in memory that could have been sent or spooled."""

    def __init__(
        self,
        transport: Transport,
        backlog: Backlog,
        notices: Notices,
        elapsed: Callable[[], float],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._transport = transport
        self._backlog = backlog
        self._notices = notices
        self._elapsed = elapsed
        self._chance = chance
        self._changed = threading.Condition()
        self._live: deque[Batch] = deque()
        self._sending: Batch | None = None
        self._from_backlog = False
        self._failures = 0
        self._not_before = float("-inf")
        self._faults: dict[str, int] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="memwarden-sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, batch: Batch) -> None:
        """Send it soon, or later."""
        with self._changed:
            self._backlog.account.count("made")
            self._live.append(batch)
            if self._failures:
                self._put_live_away()
            while len(self._live) > LIVE_BATCHES:
                self._backlog.add(self._live.popleft(), self._id_on_its_way())
            self._changed.notify()

    def try_now(self) -> None:
        """What waits is tried at once, whatever pause there is."""
        with self._changed:
            self._not_before = float("-inf")
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Batches that the collector has not taken."""
        with self._changed:
            on_its_way = self._sending is not None and not self._from_backlog
            return len(self._live) + len(self._backlog) + on_its_way

    def _put_live_away(self) -> None:
        while self._live:
            self._backlog.add(self._live.popleft(), self._id_on_its_way())

    def _id_on_its_way(self) -> str | None:
        return self._sending.id if self._sending is not None else None

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            outcome = self._transport.post(batch)
            with self._changed:
                self._settle(batch, outcome)
        self._transport.close()

    def _next(self) -> Batch | None:
        """The next to be sent, when it may be; None at the end."""
        with self._changed:
            while True:
                if self._closing and (self._failures or not (self._live or len(self._backlog))):
                    return None
                wait = self._not_before - self._elapsed()
                if wait <= 0 or self._closing:
                    self._pick()
                    if self._sending is not None:
                        return self._sending
                self._changed.wait(wait if wait > 0 else None)

    def _pick(self) -> None:
        turn = not self._from_backlog or not self._live
        if turn and (oldest := self._backlog.oldest()) is not None:
            self._sending, self._from_backlog = oldest, True
        elif self._live:
            self._sending, self._from_backlog = self._live.popleft(), False

    def _settle(self, batch: Batch, outcome: Outcome) -> None:
        if self._sending is not batch:  # `close` has put it away already
            return
        self._sending = None
        verdict = outcome.verdict
        if verdict is Verdict.FAULT:
            verdict = self._fault(batch)
        if verdict is Verdict.LATER:
            self._later(batch, outcome)
            return
        if self._failures:
            LOGGER.info("the collector takes data again")
            self._notices.forget("collector-away")
        self._failures, self._not_before = 0, float("-inf")
        self._faults.pop(batch.id, None)
        if self._from_backlog:
            self._backlog.remove(batch)
        if verdict is Verdict.TAKEN:
            self._backlog.account.count("sent")
            if outcome.reason:
                self._notices.once("partial", f"the collector did not take {outcome.reason}")
        else:
            self._backlog.account.count("refused")
            self._notices.once(
                f"refused:{batch.kind.value}:{outcome.status}",
                f"the collector refused {batch.kind.value}, they are lost (HTTP {outcome.status}): "
                f"{outcome.reason}",
            )

    def _fault(self, batch: Batch) -> Verdict:
        if len(self._faults) > LIVE_BATCHES:
            self._faults.clear()
        self._faults[batch.id] = self._faults.get(batch.id, 0) + 1
        return Verdict.LATER if self._faults[batch.id] < TRIES_OF_A_FAULT else Verdict.REFUSED

    def _later(self, batch: Batch, outcome: Outcome) -> None:
        if not self._from_backlog:
            self._backlog.add(batch)
        self._failures += 1
        pause = min(BACKOFF_LAST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(self._failures - 1, 10))
        pause = max(pause * (0.5 + 0.5 * self._chance()), outcome.retry_after)
        self._not_before = self._elapsed() + pause
        self._put_live_away()
        status = f"HTTP {outcome.status}, " if outcome.status else ""
        self._notices.once(
            "collector-away",
            f"the collector does not take data ({status}{outcome.reason}); it is kept and sent later; "
            "see whether the collector runs and --collector is right",
        )

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """One more try for everything, within `seconds`; the rest goes to the backlog. The thread ends."""
        deadline = self._elapsed() + seconds
        with self._changed:
            self._closing = True
            self._failures, self._not_before = 0, float("-inf")
            self._changed.notify()
        self._thread.join(max(0.0, deadline - self._elapsed()))
        if self._thread.is_alive():
            with self._changed:
                self._failures += 1
            self._transport.abort()
            self._thread.join(LAST_WAIT_SECONDS)
        with self._changed:
            if self._sending is not None and not self._from_backlog:
                self._backlog.add(self._sending)
            self._sending = None
            self._put_live_away()
            if lost := self._backlog.in_memory():
                self._backlog.account.count("lost", lost)
                LOGGER.warning("%d batches could not be sent and are lost; give a --spool to keep them", lost)
            elif left := len(self._backlog):
                LOGGER.warning("%d batches could not be sent and stay in the spool", left)
            self._backlog.close()
