"""Floors: the lowest value of a signal in each window, which is what garbage collection could not give
back."""

from dataclasses import dataclass

import numpy as np

from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings


@dataclass(frozen=True, slots=True)
class Floors:
    """One point a window: the lowest value, at the moment it was seen (so a line stays the same line)."""

    time: FloatArray
    value: FloatArray
    window_seconds: float


def floors(
    time: FloatArray,
    value: FloatArray,
    interval: float,
    settings: JudgeSettings,
    window_seconds: float | None = None,
) -> Floors:
    """The floors of a signal; windows are as long as the span over `target_windows`, never under two ticks.

    This is the downsampling too: an hour of 1 s ticks becomes forty points, and no minimum is lost.
    """
    if not time.size:
        return Floors(time, value, 0.0)
    span = float(time[-1] - time[0])
    shortest = settings.window_ticks * interval
    window = window_seconds or max(shortest, (span + interval) / settings.target_windows)
    window = max(window, (span + interval) / 4000)
    # Windows end at the last sample, so that the newest one is as full as the others.
    number = np.floor((time[-1] - time) / window + 1e-9).astype(np.int64)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(number)) + 1))
    if starts.size > 2 and starts[1] * interval < 0.5 * window:
        starts = starts[1:]
        time, value = time[starts[0] :], value[starts[0] :]
        starts = starts - starts[0]
    lowest = np.minimum.reduceat(value, starts)
    # The first moment at which each window's lowest value was seen.
    group = np.repeat(np.arange(starts.size), np.diff(starts, append=value.size))
    hits = np.flatnonzero(value == lowest[group])
    _, first = np.unique(group[hits], return_index=True)
    return Floors(time[hits[first]], lowest, window)
