"""What the process that held most of the memory did in its life before: a level at which it came to rest.

Whoever filled up to 300 MB, stayed there and was started again is expected to do so again: growth below that level is
the warm-up or the cache that it had before. It proves nothing about what comes above. A life that still grew when it
ended says nothing; so a leak that is restarted again and again is no cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memwarden_core.floors import floors
from memwarden_core.growth import needed_gain
from memwarden_core.recording import Series
from memwarden_core.segments import Segment
from memwarden_core.settings import JudgeSettings
from memwarden_core.trend import trend


@dataclass(frozen=True, slots=True)
class Rested:
    """A level that the life before kept to. Bytes, Unix seconds."""

    level: float
    since: float
    until: float


def rested_before(
    found: Sequence[Segment], current: Segment, memory: Series, interval: float, settings: JudgeSettings
) -> Rested | None:
    """Where the life before the current segment's came to rest; None where there was none or it did not."""
    begun = [segment for segment in found if segment.start <= current.start]
    while begun and begun[-1].cause != "restart":
        begun.pop()
    if len(begun) < 2:
        return None
    before = begun[-2]
    calm = max(2 * settings.stop_ticks * interval, (before.end - before.start) / 3)
    if before.end - before.start < calm + settings.warm_up_ticks * interval:
        return None
    # The last samples may see a process that is half gone.
    inside = (memory.time >= before.end - calm) & (
        memory.time < before.end - settings.departed_ticks * interval
    )
    lows = floors(memory.time[inside], memory.value[inside], interval, settings)
    if lows.time.size < settings.min_windows:
        return None
    late = trend(lows.time, lows.value)
    if late.slope * late.span >= needed_gain(late.start_level, settings):
        return None
    return Rested(float(np.median(lows.value)), float(lows.time[0]), before.end)
