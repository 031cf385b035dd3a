"""The four simple methods that people use today, asked at the same moments about the same memory.

Each takes what was seen so far and says whether it would raise an alarm. Their settings are those that are commonly
given; none was fitted, neither for nor against them.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from memwarden_core.recording import FloatArray
from memwarden_core.trend import mann_kendall, theil_sen

LEAST: Final = 30
"""Samples before anything is said, as for the judge."""
THRESHOLD: Final = 0.85
WINDOW: Final = 240
"""Samples that the trend methods look back."""
HORIZON_TICKS: Final = 960
"""`predict_linear(memory[1h], 4 * 3600)` at 15 s ticks looks 240 samples back and 960 ahead."""

Detector = Callable[[FloatArray, FloatArray, float, float], bool]
"""(time, memory, limit, interval) → alarm."""


def fixed_threshold(time: FloatArray, memory: FloatArray, limit: float, interval: float) -> bool:
    """Memory above 85 % of the limit."""
    return bool(memory.size and memory[-1] >= THRESHOLD * limit)


def linear_trend(time: FloatArray, memory: FloatArray, limit: float, interval: float) -> bool:
    """Least squares: a slope whose t is over 3, that explains 80 % of the variance and adds 3 % over the window."""
    time, memory = time[-WINDOW:], memory[-WINDOW:]
    if time.size < LEAST:
        return False
    x, y = time - time.mean(), memory - memory.mean()
    power = float(x @ x)
    slope = float(x @ y) / power
    left = y - slope * x
    explained = 1 - float(left @ left) / max(float(y @ y), 1e-9)
    error = math.sqrt(max(float(left @ left), 1e-9) / (time.size - 2) / power)
    gain = slope * float(time[-1] - time[0])
    return slope / error > 3 and explained > 0.8 and gain > 0.03 * float(memory.mean())


def mann_kendall_alone(time: FloatArray, memory: FloatArray, limit: float, interval: float) -> bool:
    """A rising trend at one in a thousand, on forty means of the window."""
    time, memory = time[-WINDOW:], memory[-WINDOW:]
    if time.size < LEAST:
        return False
    parts = np.array_split(np.arange(time.size), 40 if time.size >= 80 else 15)
    t = np.array([time[part].mean() for part in parts])
    m = np.array([memory[part].mean() for part in parts])
    score, variance = mann_kendall(t, m, theil_sen(t, m))
    return variance > 0 and (score - 1) / math.sqrt(variance) > 3.09


def predict_linear(time: FloatArray, memory: FloatArray, limit: float, interval: float) -> bool:
    """Prometheus: least squares over the window, carried on, meets the limit within the horizon."""
    time, memory = time[-WINDOW:], memory[-WINDOW:]
    if time.size < LEAST:
        return False
    now = float(time[-1])
    slope, level = np.polyfit(time - now, memory, 1)
    return bool(level + slope * HORIZON_TICKS * interval >= limit)


DETECTORS: Final[Mapping[str, Detector]] = {
    "fixed threshold": fixed_threshold,
    "linear trend": linear_trend,
    "Mann-Kendall": mann_kendall_alone,
    "predict_linear": predict_linear,
}
