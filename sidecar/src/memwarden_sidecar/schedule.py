"""The schedule: moments on a fixed grid. A tick that was slow makes later ones fall out, never pile up."""

import math
from dataclasses import dataclass
from typing import Final

PROFILE_TICKS: Final = 5
"""A profile costs more than a sample: by default one in this many ticks."""
FIRST_PROFILE_TICKS: Final = 2
"""The first profile comes early, so that a short run has one."""
CENSUS_TICKS: Final = 20
CENSUS_SECONDS: Final = 5.0
"""A census walks all objects of the process: at most one in this time. A dear one the probe refuses by its budget."""
FIRST_CENSUS_SECONDS: Final = 10.0


@dataclass(slots=True)
class Grid:
    """Due at start, start + interval, start + 2·interval, … Times are seconds of a clock that never jumps."""

    next_due: float
    interval: float
    skipped: int = 0
    """Moments that fell out because the one before took too long."""

    def is_due(self, now: float) -> bool:
        return now >= self.next_due

    def advance(self, now: float) -> None:
        """To the first moment of the grid after `now`."""
        steps = max(1, math.floor((now - self.next_due) / self.interval) + 1)
        self.skipped += steps - 1
        self.next_due += steps * self.interval

    def wait(self, now: float) -> float:
        """Seconds until the next moment, 0 when it is here."""
        return max(0.0, self.next_due - now)


def census_interval(interval: float) -> float:
    """Seconds between two censuses at a tick every `interval` seconds."""
    return max(CENSUS_SECONDS, CENSUS_TICKS * interval)
