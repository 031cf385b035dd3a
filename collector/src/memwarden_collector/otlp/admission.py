"""How many bytes may be worked on at once. Asked before reading, and again while inflating."""

import threading
from types import TracebackType

from memwarden_collector.errors import Overloaded


class Budget:
    """A bounded number of bytes, shared by all requests. Safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        return self._used

    def take(self, size: int) -> None:
        """Raises Overloaded when there is no room."""
        with self._lock:
            if self._used + size > self.limit:
                raise Overloaded(
                    f"busy: {self._used} bytes are being worked on, {size} more would pass"
                    f" max_inflight_bytes={self.limit}; send it again later",
                    reason="inflight_bytes",
                )
            self._used += size

    def give_back(self, size: int) -> None:
        with self._lock:
            self._used -= size


class Reservation:
    """The share of one request; given back whole at the end of the `with`.

    A client that goes away ends the `with` while a thread may still work on its request: that thread gets no more.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._held = 0
        self._over = False

    def grow(self, size: int) -> None:
        """Take so many bytes more; raises Overloaded."""
        with self._lock:
            if self._over:
                raise Overloaded("the client is gone", reason="client_gone")
            self._budget.take(size)
            self._held += size

    def grow_to(self, size: int) -> None:
        """Hold at least so many bytes; raises Overloaded."""
        if size > self._held:
            self.grow(size - self._held)

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._over = True
            self._budget.give_back(self._held)
            self._held = 0
