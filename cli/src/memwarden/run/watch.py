"""While the app runs: pass signals on, keep the status line, end the app when its time is over."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from memwarden.run.app import App, descendants
from memwarden.run.backend import Backend
from memwarden.supervise.mailbox import FORWARDED, Mailbox, Received
from memwarden.terminal.numbers import NumbersThread, line
from memwarden.terminal.status import StatusLine

_TICK_SECONDS: Final = 1.0
_TICK_WITH_STATUS_SECONDS: Final = 0.1
_KILL_AFTER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How the app ended."""

    exit_code: int
    """-N: by signal N."""
    by_duration: bool
    at: float
    """Unix seconds."""


class Watch:
    """The loop around one app. `until_ended` is the whole of it."""

    def __init__(self, app: App, backend: Backend, mailbox: Mailbox, status: StatusLine) -> None:
        self._app = app
        self._backend = backend
        self._mailbox = mailbox
        self._status = status
        self._started = time.monotonic()
        self._term_at: float | None = None
        if backend.plan.duration_seconds is not None:
            self._term_at = self._started + backend.plan.duration_seconds
        self._kill_at: float | None = None
        self._marked: tuple[int, ...] = ()
        self._next_second = self._started
        self._numbers = NumbersThread(backend.api) if status.wanted else None

    def until_ended(self) -> Ended:
        try:
            while (code := self._app.ended()) is None:
                received = self._mailbox.take(self._patience())
                if received is not None:
                    self._hear(received)
                now = time.monotonic()
                self._keep_time(now)
                self._each_second(now)
                self._show(now)
            return Ended(code, by_duration=self._kill_at is not None, at=time.time())
        finally:
            self._status.withdraw()
            if self._numbers is not None:
                self._numbers.end()

    def _patience(self) -> float:
        """How long to sleep: to the next thing that has its time."""
        tick = _TICK_WITH_STATUS_SECONDS if self._status.wanted else _TICK_SECONDS
        deadlines = [at for at in (self._term_at, self._kill_at) if at is not None]
        return min([tick, *(at - time.monotonic() for at in deadlines)])

    def _hear(self, received: Received) -> None:
        number = received.number
        if number is signal.SIGCHLD:
            stop = self._app.stopped_by_terminal()
            if stop is not None:
                self._stop(stop)
        elif number is signal.SIGTSTP:
            if not received.from_terminal:
                self._app.send(number)
            self._stop(number)
        elif number is signal.SIGWINCH:
            self._status.resized()
        elif number in FORWARDED and not received.from_terminal:
            # What the terminal sends (Ctrl-C, Ctrl-\, hang-up), the app has got itself.
            self._app.send(number)

    def _stop(self, number: signal.Signals) -> None:
        """Stop with the app, so that the shell takes the terminal back; go on when the shell says so."""
        self._status.withdraw()
        self._mailbox.stop_like_default(number)

    def _keep_time(self, now: float) -> None:
        if self._term_at is not None and now >= self._term_at:
            self._term_at = None
            self._kill_at = now + _KILL_AFTER_SECONDS
            # The whole tree, as timeout(1) does it by the process group; the group here is our own as well.
            self._marked = descendants(self._app.pid)
            _send_all(self._marked, signal.SIGTERM)
            _send_all(self._marked, signal.SIGCONT)
        elif self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + _KILL_AFTER_SECONDS
            _send_all(descendants(self._app.pid), signal.SIGKILL)

    def _each_second(self, now: float) -> None:
        if now >= self._next_second:
            self._next_second = now + 1.0
            if self._numbers is not None and self._backend.fallen() and not self._numbers.end():
                return  # its thread still waits for an answer, and nothing is started beside a thread
            self._backend.watch()
            if self._numbers is not None and self._numbers.ended:
                self._numbers = NumbersThread(self._backend.api)

    def _show(self, now: float) -> None:
        if self._numbers is not None:
            self._status.update(line(self._numbers.latest, now - self._started))


def _send_all(pids: tuple[int, ...], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
