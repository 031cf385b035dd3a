"""Finer samples on suspicion: where a heap rises by so little that few samples see it, the probe is asked for more.

The judge names a site only after ten live samples of it, and at one sample in 512 KiB a slow leak needs long for
that. So the lowest live bytes of short windows are followed; while the last of them lie above the first, sampling is
made so fine that the rise shows in `SAMPLES` samples, never finer than `FINEST`. When nothing rises any more, it goes
back. The probe keeps to its budget whatever is asked.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

WINDOW_TICKS: Final = 5
WINDOWS: Final = 12
SAMPLES: Final = 64
"""Samples in which the rise over all windows is to show: its share of one site is known to an eighth."""
FINEST: Final = 64 * 1024
"""Bytes between two samples, at least: an eighth of the usual."""
LEAST_RISE: Final = 512 * 1024
"""Bytes; less is what any heap does."""
LEAST_SHARE: Final = 0.01
"""… or this share of what lives, if that is more."""


@dataclass(slots=True)
class Suspicion:
    """Of one process. `usual`: bytes between two samples where nothing is suspected; None: what it began with."""

    usual: int | None
    asked: int | None = None
    """What was asked for last, while it is not the usual."""
    _lows: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOWS))
    _low: float = float("inf")
    _ticks: int = 0

    def wish(self, live_bytes: float, now_bytes: int) -> int | None:
        """Bytes between two samples to ask for now; None: all is as it should be.

        Called once a tick with the live bytes of the heap and the bytes between two samples as they are.
        """
        self.usual = self.usual or now_bytes
        self._low = min(self._low, live_bytes)
        self._ticks += 1
        if self._ticks < WINDOW_TICKS:
            return None
        self._lows.append(self._low)
        self._low, self._ticks = float("inf"), 0
        wanted = self._wanted(self.usual)
        if wanted == (self.asked or self.usual):
            return None
        self.asked = wanted if wanted != self.usual else None
        return wanted

    def _wanted(self, usual: int) -> int:
        if len(self._lows) < WINDOWS:
            return usual
        third = WINDOWS // 3
        lows = list(self._lows)
        first, middle, last = (lows[start : start + third] for start in range(0, WINDOWS, third))
        rise = min(last) - min(first)
        # Thirds that don't overlap: noise does that once in 35 000 times.
        rises = max(first) < min(middle) and max(middle) < min(last)
        if not rises or rise < max(LEAST_RISE, LEAST_SHARE * min(last)):
            return usual
        wanted = usual
        while wanted // 2 >= FINEST and rise / wanted < SAMPLES:
            wanted //= 2
        return wanted
