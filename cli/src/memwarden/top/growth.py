"""How fast one process grows, for the table. The verdict's growth is the judge's and is not made here.

The window is cut into stretches; the lowest value of each is its floor, so that a sawtooth of garbage collections
does not look like growth; the rate is the median of the slopes between all floors (Theil–Sen), which a few odd ones
don't move.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

FEWEST_SECONDS: Final = 10.0
_STRETCHES: Final = 20
_FEWEST_FLOORS: Final = 4


def growth_of(times: Sequence[float], values: Sequence[float]) -> float | None:
    """Bytes per second; None where there is too little to say. Times ascend, in seconds."""
    if len(times) < 2 or times[-1] - times[0] < FEWEST_SECONDS:
        return None
    floors: dict[int, tuple[float, float]] = {}
    length = (times[-1] - times[0]) / _STRETCHES
    for time, value in zip(times, values, strict=True):
        index = min(_STRETCHES - 1, int((time - times[0]) / length))
        if index not in floors or value < floors[index][1]:
            floors[index] = (time, value)
    points = list(floors.values())
    if len(points) < _FEWEST_FLOORS:
        return None
    return median(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
    )
