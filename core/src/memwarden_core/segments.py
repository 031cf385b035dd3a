"""Where a recording must be cut before it is judged, and how much of the start is warm-up.

A line through two different programs is nobody's trend: segments end where the process that held most of the
memory ended, where the limit was changed, and where nothing was seen for long. A single step (a model
loaded) is cut too, so that what comes after is judged by itself.
"""

from dataclasses import dataclass

import numpy as np

from memwarden_core.floors import floors
from memwarden_core.recording import FloatArray, Recording, Series, SeriesKey
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import (
    EMPTY,
    MEMORY_LIMIT,
    PROCESS_MEMORY_ANON,
    by_process,
    clean,
    held,
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time to be judged by itself; `cause` says what it begins with."""

    start: float
    end: float
    cause: str


def segments(recording: Recording, memory: Series, settings: JudgeSettings) -> list[Segment]:
    """The segments of a recording in the order of time; the last one is the current one."""
    if not memory.time.size:
        return []
    interval = max(recording.interval, 1e-3)
    first, last = float(memory.time[0]), float(memory.time[-1])
    cuts = {first: "start"}
    for moment in _restarts(recording, memory, interval, settings):
        cuts[moment] = "restart"
    for moment in _limit_changes(recording, last):
        cuts[moment] = "limit changed"
    silent = np.diff(memory.time) > settings.gap_ticks * interval
    for index in np.flatnonzero(silent):
        cuts[float(memory.time[index + 1])] = "gap"
    moments = sorted(moment for moment in cuts if first <= moment <= last)
    found = []
    for position, moment in enumerate(moments):
        following = moments[position + 1] if position + 1 < len(moments) else np.inf
        inside = memory.time[(memory.time >= moment) & (memory.time < following)]
        if inside.size:
            found.append(Segment(moment, float(inside[-1]), cuts[moment]))
    return found


def _restarts(recording: Recording, memory: Series, interval: float, settings: JudgeSettings) -> list[float]:
    """Moments after which the process that held most of the memory was gone.

    One that ended before it could have been judged by itself was an errand (a command, a worker for one job): it is
    taken out of the sum as every process is that has ended, and what the others do goes on."""
    parts = by_process(recording, PROCESS_MEMORY_ANON, float(memory.time[-1]))
    found = []
    for index, process in enumerate(recording.processes):
        if not process.ended or index not in parts:
            continue
        own = parts[index]
        if own.time[-1] - own.time[0] < settings.warm_up_ticks * interval:
            continue
        total = held(memory, own.time[-1:], np.inf)
        earlier = own.value[max(0, own.value.size - 3)]
        if total.size and np.isfinite(total[0]) and max(own.value[-1], earlier) >= 0.5 * total[0] > 0:
            later = memory.time[memory.time > own.time[-1] + 1e-6]
            if later.size:
                found.append(float(later[0]))
    return found


def _limit_changes(recording: Recording, until: float) -> list[float]:
    """Moments at which the limit changed by more than 5 %; a limit that moves all the time is no limit."""
    limit = clean(recording.series.get(SeriesKey(MEMORY_LIMIT), EMPTY), until)
    if limit.time.size < 2:
        return []
    before = limit.value[:-1]
    changed = np.abs(np.diff(limit.value)) > 0.05 * np.maximum(np.abs(before), 1.0)
    moments = limit.time[1:][changed]
    return [float(moment) for moment in moments] if moments.size <= 5 else []


def settled_from(time: FloatArray, value: FloatArray, interval: float, settings: JudgeSettings) -> float:
    """The moment from which a segment is judged: its derivative has settled, or a third of it is over."""
    start, span = float(time[0]), float(time[-1] - time[0])
    earliest = start + settings.settle_ticks * interval
    latest = max(earliest, start + settings.warm_up_share * span)
    lows = floors(time, value, interval, settings)
    if lows.time.size < 6:
        return min(earliest, latest)
    rate = np.diff(lows.value) / np.maximum(np.diff(lows.time), 1e-9)
    late = rate[lows.time[1:] > latest]
    if late.size < 3:
        return earliest
    middle = float(np.median(late))
    spread = 1.4826 * float(np.median(np.abs(late - middle)))
    bound = middle + max(4 * spread, 0.5 * abs(middle))
    moment = earliest
    for index in range(rate.size):
        if lows.time[index] >= latest:
            break
        if rate[index] > bound:
            moment = float(lows.time[index + 1])
    return float(min(max(moment, earliest), latest))


def after_step(time: FloatArray, value: FloatArray, interval: float, settings: JudgeSettings) -> float | None:
    """The moment after a single upward step that carries more than half of all the rise, or None."""
    lows = floors(time, value, interval, settings)
    if lows.time.size < 6:
        return None
    rise = float(np.median(lows.value[-3:]) - np.median(lows.value[:3]))
    jumps = np.diff(lows.value)
    pairs = np.maximum(jumps[:-1] + jumps[1:], jumps[:-1])
    index = int(np.argmax(pairs))
    typical = 1.4826 * float(np.median(np.abs(jumps - np.median(jumps))))
    size = float(pairs[index])
    minimum = max(settings.gain_bytes, settings.gain_share * float(np.median(lows.value)), 6 * typical)
    if size < minimum or rise <= 0 or size <= settings.step_share * rise:
        return None
    return float(lows.time[min(index + 2, lows.time.size - 1)])
