"""Whether growth slowed only because the program got less done.

A cache that fills and a leak whose program slows, or gets less of the processor, look the same over time. Counted by
work they don't: what each request leaves behind stays the same with the leak, and becomes less with the cache.
Requests are not counted; what all of them allocate is (`memwarden.heap.allocated`). A cache that allocates next to
nothing for what it has already would be mistaken, so growth must be a small part of what is allocated; and where hardly
anything is done any more, the program has come to rest, and what it did before says nothing of what is to come.
"""

from dataclasses import dataclass

import numpy as np

from memwarden_core.growth import Growth
from memwarden_core.recording import FloatArray, Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.shape import Shape, shape
from memwarden_core.signals import HEAP_ALLOCATED, by_process


@dataclass(frozen=True, slots=True)
class SlowerWork:
    """A program that gets less done than before, and grows by as much with each piece of it."""

    pace: float
    """Work of the last third over work of the first."""
    shape: Shape
    """Of the growth, over work instead of time."""


def work_done(recording: Recording, growth: Growth, until: float) -> FloatArray:
    """Bytes that all processes have allocated by each of the growth's floors; zeros where that is not known."""
    time = growth.floors.time
    done = np.zeros(time.size)
    for allocated in by_process(recording, HEAP_ALLOCATED, until).values():
        done += np.interp(time, allocated.time, allocated.value)
    return done


def is_churned(done: FloatArray, growth: Growth, settings: JudgeSettings) -> bool:
    """Whether growth is a small part of what was allocated meanwhile."""
    return bool(done.size and done[-1] - done[0] >= settings.work_excess * growth.trend.rise)


def slower_work(
    done: FloatArray, growth: Growth, interval: float, settings: JudgeSettings
) -> SlowerWork | None:
    """None where the program is not slower, or growth slows by work too. `done`: what `work_done` says."""
    time, value = growth.floors.time, growth.floors.value
    if not is_churned(done, growth, settings):
        return None
    pace = _late_over_early(done, time)
    onwards = np.append(True, np.diff(done) > 0)
    if not settings.rest_share <= pace <= settings.slower_share or onwards.sum() < settings.min_windows:
        return None
    by_work = shape(done[onwards], value[onwards])
    slows = by_work.slows(growth.slowing_ratio(interval, settings), settings)
    return None if slows else SlowerWork(pace, by_work)


def _late_over_early(counter: FloatArray, time: FloatArray) -> float:
    """Rate of the last third over that of the first."""
    third = max(3, time.size // 3)
    early = (counter[third] - counter[0]) / (time[third] - time[0])
    late = (counter[-1] - counter[-third - 1]) / (time[-1] - time[-third - 1])
    return float(late / early) if early > 0 else 1.0
