"""Commands as the sidecar's loop does them: begun at once, looked after at each turn, answered when they are done.

A program's timing never depends on it: profiles are read from a table that lies in memory, a census is a question that
the probe answers when it next ticks, within its own budget.
"""

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from memwarden_sidecar.commands.fetcher import Fetcher
from memwarden_sidecar.commands.order import KINDS, Order, Result
from memwarden_sidecar.export.sender import Sender
from memwarden_sidecar.notices import LOGGER
from memwarden_sidecar.scope import Check, WatchedScope
from memwarden_sidecar.settings import COMMAND_SECONDS

_OPEN: Final = 256
"""Commands that are being done; the collector gives no more than some at once."""


@dataclass(frozen=True, slots=True)
class _Open:
    order: Order
    until: float
    check: Check


class Obeying:
    """For the loop's thread. `scope_of` finds a container's scope by its name, None where nothing of it is seen yet."""

    def __init__(
        self,
        make_fetcher: Callable[[Callable[[], None]], Fetcher],
        containers: Iterable[str],
        scope_of: Callable[[str], WatchedScope | None],
        sender: Sender,
        elapsed: Callable[[], float],
    ) -> None:
        self._containers = tuple(containers)
        self._scope_of = scope_of
        self._sender = sender
        self._elapsed = elapsed
        self._open: dict[str, _Open] = {}
        self.awake, self._wake = socket.socketpair()
        """Readable when `take` is to be called."""
        for end in (self.awake, self._wake):
            end.setblocking(False)
        self._fetcher = make_fetcher(self._wake_loop)

    def start(self) -> None:
        self._fetcher.start()

    def _wake_loop(self) -> None:
        """From the fetcher's thread."""
        try:
            self._wake.send(b"\0")
        except OSError:  # full: it is readable, or closed: it is over
            return

    def take(self) -> None:
        """Begin what has come."""
        with suppress(BlockingIOError):
            self.awake.recv(4096)
        for order in self._fetcher.received():
            if order.id in self._open:
                continue
            LOGGER.info("the collector asks for %s of container %s", order.kind, order.container)
            until = self._elapsed() + min(COMMAND_SECONDS, max(1.0, order.seconds))
            check = (
                self._begin(order) if len(self._open) < _OPEN else _failed("too much is asked for at once")
            )
            self._open[order.id] = _Open(order, until, check)
        self.look_round()

    def look_round(self) -> None:
        """At each turn: answer what is done, or whose time is up."""
        for one in tuple(self._open.values()):
            outcome = one.check(self._elapsed() >= one.until)
            if outcome is not None:
                del self._open[one.order.id]
                self._fetcher.answer(Result(one.order.id, *outcome))

    def _begin(self, order: Order) -> Check:
        if order.kind not in KINDS:
            return _failed(f"this sidecar does not know {order.kind[:40]}")
        if order.kind == "Flush":
            return self._flush()
        if order.container not in self._containers:
            return _failed(
                f"no container {order.container[:253]} is watched; {', '.join(self._containers)} are"
            )
        scope = self._scope_of(order.container)
        if scope is None:
            return _failed(f"no program of container {order.container} has said hello")
        if order.kind == "Profile":
            return scope.profile_now(order.pid)
        if order.kind == "Census":
            return scope.census_now(order.pid)
        return scope.sample_finer(order.pid, order.sampling_bytes, order.seconds)

    def _flush(self) -> Check:
        self._sender.try_now()

        def check(time_is_up: bool) -> tuple[bool, str] | None:
            if not (waiting := self._sender.waiting):
                return True, "nothing waits"
            return (
                (False, f"{waiting} batches still wait: the collector does not take them")
                if time_is_up
                else None
            )

        return check

    def close(self) -> None:
        self._fetcher.close()
        self.awake.close()
        self._wake.close()


def _failed(why: str) -> Check:
    return lambda _: (False, why)
