"""What rises together with memory, and so tells what it is for: threads, a container with a name, open descriptors.

None of them alone makes a leak, and none but new threads excuses one. With threads it is as with processes, which
count only with what they grow by after their own start: what a new one brings is not growth. A pool ends somewhere;
threads without end are a leak themselves, so beyond `pool_threads` more they are no excuse, nor after `pool_ticks`, nor
where a pool of so many would not fit below the limit.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from memwarden_core.containers import Container
from memwarden_core.growth import Growth
from memwarden_core.recording import FloatArray, Recording, Series
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import PROCESS_FD_COUNT, PROCESS_THREAD_COUNT, by_process, held


@dataclass(frozen=True, slots=True)
class NewThreads:
    """Threads that were started while memory grew."""

    more: int
    bytes_each: float
    """Memory that came with each."""


@dataclass(frozen=True, slots=True)
class Companions:
    """What rises with memory; None and 0 where nothing does."""

    threads: NewThreads | None = None
    container: Container | None = None
    descriptors: int = 0
    """File descriptors that are open more than when the growth began."""


NOBODY = Companions()


def companions(
    recording: Recording, growth: Growth, memory: Series, known: Iterable[Container], settings: JudgeSettings
) -> Companions:
    """Of a growth of this memory. `known`: the large containers by then."""
    opened = _more(recording, PROCESS_FD_COUNT, growth, settings)
    return Companions(
        threads=_new_threads(recording, growth, float(memory.value[-1]), settings),
        container=_container(known, growth, memory, recording.interval, settings),
        descriptors=opened if opened >= settings.site_samples else 0,
    )


def in_step(entries: Series, memory: Series, points: int, settings: JudgeSettings) -> bool:
    """Whether memory is a straight line of the number of entries, over enough censuses."""
    if entries.time.size < points:
        return False
    known: FloatArray = np.interp(entries.time, memory.time, memory.value)
    return explained(entries.value, known) >= settings.census_fit


def seen_since(series: Series, moment: float, interval: float) -> Series:
    """Censuses are far apart: the last one before the growth began counts as its beginning."""
    first = max(0, int(np.searchsorted(series.time, moment + interval, side="right")) - 1)
    return Series(series.time[first:], series.value[first:])


def explained(first: FloatArray, second: FloatArray) -> float:
    """R² of a line; 0 where one falls as the other rises."""
    a, b = first - first.mean(), second - second.mean()
    with np.errstate(over="ignore", invalid="ignore"):
        scale, together = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b)), float(a @ b)
    correlation = together / scale if 0 < scale < math.inf else 0.0
    return correlation * correlation if correlation > 0 else 0.0


def _new_threads(
    recording: Recording, growth: Growth, now: float, settings: JudgeSettings
) -> NewThreads | None:
    if growth.trend.span > settings.pool_ticks * max(recording.interval, 1e-3):
        return None
    more = _more(recording, PROCESS_THREAD_COUNT, growth, settings)
    if not settings.crew_threads <= more <= settings.pool_threads:
        return None
    found = NewThreads(more, growth.trend.rise / more)
    whole = now + found.bytes_each * (settings.pool_threads - more)
    return found if recording.limit is None or whole <= recording.limit.bytes else None


def _more(recording: Recording, metric: str, growth: Growth, settings: JudgeSettings) -> int:
    """How many more of these there are, over all processes, than when the growth began; 0 where memory does not go in
    step with them."""
    lows = growth.floors
    if lows.time.size < settings.min_windows:
        return 0
    counts = np.zeros(lows.time.size)
    for part in by_process(recording, metric, float(lows.time[-1])).values():
        counts += np.nan_to_num(held(part, lows.time, 1.5 * max(recording.interval, 1e-3)))
    if explained(counts, lows.value) < settings.census_fit:
        return 0
    return int(np.median(counts[-3:]) - np.median(counts[:3]))


def _container(
    known: Iterable[Container], growth: Growth, memory: Series, interval: float, settings: JudgeSettings
) -> Container | None:
    """The one with a name that gained most entries, of those that go in step with memory."""
    found = []
    for one in known:
        entries = seen_since(one.entries, growth.since, interval)
        gained = float(entries.value[-1] - entries.value[0])
        if one.name and gained > 0 and in_step(entries, memory, settings.census_points, settings):
            found.append((gained, one.id, one))
    return max(found, default=(0.0, "", None))[2]
