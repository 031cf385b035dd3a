"""The screen: which of many containers deserve the full judgement, from their memory alone, all at once.

It may only pass on, never convict: everything that might be a growth goes on to the judge, whose first question (is
there a rise beyond the allocator's own?) it asks more mildly. It costs microseconds a container where the judge costs
milliseconds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings

SCALES: Final = (1.0, 0.5, 0.25, 0.125)
"""Shares of the time up to now that are looked at: a growth may have begun late."""
MILDER: Final = 0.5
"""Half of the gain that the judge asks for is enough."""
SCORE: Final = 1.0
"""Mann-Kendall's score without correction; the judge asks for 2.6 after it."""


@dataclass(frozen=True, slots=True)
class Screened:
    """Arrays of one length: a value a container."""

    suspect: NDArray[np.bool_]
    gain: FloatArray
    """Bytes from the first to the last third of the stretch that rises most clearly."""
    score: FloatArray
    """Mann-Kendall's score of that stretch; NaN where there were too few floors."""


def screen(memory: FloatArray, settings: JudgeSettings, before: FloatArray | None = None) -> Screened:
    """`memory`: lowest value of each interval, shape (containers, intervals), NaN where nothing was seen.

    Rows may be of any age: what is missing at the start is no growth. `before`: the highest floor of each row before
    that, NaN where nothing was seen; memory that has been as high is no growth either.
    """
    count = memory.shape[0]
    gain, score = np.zeros(count), np.full(count, np.nan)
    suspect = np.zeros(count, dtype=np.bool_)
    for share in SCALES:
        width = int(memory.shape[1] * share)
        if width < settings.min_windows:
            break
        lows = _floors(memory[:, -width:], settings.target_windows)
        known = np.isfinite(lows).sum(axis=1) >= settings.min_windows
        with np.errstate(invalid="ignore"):
            rose, level = _rise(lows)
            z = _mann_kendall(lows)
            needed = MILDER * np.maximum(settings.gain_bytes, settings.gain_share * level)
            found = known & (z >= SCORE) & (rose >= needed) & ~_was_as_high(memory, lows, width)
            if before is not None:
                found &= ~(before >= _now(lows))
        better = known & ~(z <= score)
        gain[better], score[better] = rose[better], z[better]
        suspect |= found
    return Screened(suspect, gain, score)


def _was_as_high(memory: FloatArray, lows: FloatArray, width: int) -> NDArray[np.bool_]:
    """Whether floors before the stretch were above its last third: a day that rises as the day before did."""
    earlier = memory[:, :-width]
    if not earlier.shape[1]:
        return np.zeros(memory.shape[0], dtype=np.bool_)
    before = _floors(earlier, max(1, lows.shape[1] * earlier.shape[1] // width))
    highest = np.where(np.isfinite(before), before, -np.inf).max(axis=1)
    higher: NDArray[np.bool_] = highest >= _now(lows)
    return higher


def _now(lows: FloatArray) -> FloatArray:
    return _mean(lows[:, -(lows.shape[1] // 3) :])


def _floors(memory: FloatArray, windows: int) -> FloatArray:
    """The lowest value of each window, shape (containers, windows); fewer windows where there are fewer intervals."""
    width = max(1, memory.shape[1] // windows)
    used = memory[:, memory.shape[1] % width :]
    starts = np.arange(0, used.shape[1], width)
    floors: FloatArray = np.fmin.reduceat(used, starts, axis=1)
    return floors


def _rise(lows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(mean of the last third less that of the first, mean of the first); of what was seen."""
    third = lows.shape[1] // 3
    first = _mean(lows[:, :third])
    first = np.where(np.isfinite(first), first, _mean(lows[:, : 2 * third]))
    return np.nan_to_num(_mean(lows[:, -third:]) - first), np.nan_to_num(first)


def _mean(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: FloatArray = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
    return mean


def _mann_kendall(lows: FloatArray) -> FloatArray:
    """The score of each row (Mann 1945), pairs with a gap left out."""
    total, pairs = np.zeros(lows.shape[0]), np.zeros(lows.shape[0])
    for lag in range(1, lows.shape[1]):
        step = lows[:, lag:] - lows[:, :-lag]
        known = np.isfinite(step)
        total += np.where(known, np.sign(step), 0.0).sum(axis=1)
        pairs += known.sum(axis=1)
    n = (1 + np.sqrt(1 + 8 * pairs)) / 2
    spread = np.sqrt(np.maximum(n * (n - 1) * (2 * n + 5) / 18, 1.0))
    return np.asarray(total / spread, dtype=np.float64)
