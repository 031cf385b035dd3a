"""Time: one anchor at the start, then elapsed time only.

A wall clock jumps: NTP after a long sleep, an administrator, a virtual machine that was moved. A series whose
times jump looks like a gap, or like growth in no time. So each sample's time is the wall clock at the start
plus what a clock that never jumps says has passed since. That clock is CLOCK_BOOTTIME: unlike CLOCK_MONOTONIC
it goes on while a laptop sleeps.
"""

import time
from collections.abc import Callable
from typing import Final

JUMP_WORTH_SAYING_SECONDS: Final = 60.0


def boot_seconds() -> float:
    """Seconds since the machine was started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Sample times that rise evenly whatever the wall clock does. Both functions return seconds."""

    def __init__(
        self, elapsed: Callable[[], float] = boot_seconds, wall: Callable[[], float] = time.time
    ) -> None:
        self._elapsed = elapsed
        self._wall = wall
        self._anchor_elapsed = elapsed()
        self._anchor_wall = wall()

    def elapsed(self) -> float:
        """Seconds of the clock that never jumps; its zero means nothing."""
        return self._elapsed()

    def now(self) -> float:
        """Unix seconds, as the wall clock stood at the start."""
        return self._anchor_wall + (self._elapsed() - self._anchor_elapsed)

    def of_elapsed(self, elapsed: float) -> float:
        """Unix seconds of a moment that is known as a value of `elapsed`."""
        return self._anchor_wall + (elapsed - self._anchor_elapsed)

    def jump(self) -> float:
        """How far the wall clock has moved away from `now`, in seconds."""
        return self._wall() - self.now()
