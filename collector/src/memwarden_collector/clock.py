"""Time, passed in: the wall for stamps of samples, the monotonic clock for durations."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    wall: Callable[[], float] = time.time
    """Unix seconds; may jump."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since anything; never jumps."""
