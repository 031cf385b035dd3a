"""Time, passed in: the wall for stamps of samples, the monotonic clock for durations."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Now(NamedTuple):
    """What time it is, in Unix seconds, by two clocks that differ when the wall clock has jumped.

    Senders may have read the wall clock before a jump or after it: a sample is too old, or of the future,
    only when it is so by both.
    """

    earliest: float
    latest: float

    @classmethod
    def of(cls, *readings: float) -> "Now":
        return cls(min(readings), max(readings))


@dataclass(frozen=True, slots=True)
class Clock:
    wall: Callable[[], float] = time.time
    """Unix seconds; may jump."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since anything; never jumps."""
    _offset: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_offset", self.wall() - self.monotonic())

    def now(self) -> Now:
        """The wall clock now, and what it would show if it had only run on since the start."""
        return Now.of(self.wall(), self.monotonic() + self._offset)
