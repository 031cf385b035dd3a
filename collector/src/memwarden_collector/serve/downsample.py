"""Fewer points of a series, each of them a real one: the lowest and the highest of each stretch of time.
Pure.
"""

import numpy as np

from memwarden_core.recording import FloatArray


def downsample(time: FloatArray, value: FloatArray, points: int) -> tuple[FloatArray, FloatArray]:
    """At most `points` (≥ 2) of the given points, in the order of time, all of them when they are not more.

    An average would hide both the floor, which tells a leak, and the peak, which meets the limit.
    """
    if len(time) <= points:
        return time, value
    stretches = max(points // 2, 1)
    edges = np.linspace(time[0], time[-1], stretches + 1)
    starts = np.unique(np.searchsorted(time, edges[:-1]))
    chosen: set[int] = set()
    for start, end in zip(starts, [*starts[1:], len(time)], strict=True):
        part = value[start:end]
        chosen |= {int(start + part.argmin()), int(start + part.argmax())}
    places = sorted(chosen)[:points]
    return time[places], value[places]
