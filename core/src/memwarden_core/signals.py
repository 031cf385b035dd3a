"""What the judge reads from a recording: anonymous memory, live heap, load; and the names of those metrics.

The names are spelt here once more than in `memwarden_api.names`, because this package imports nothing of
ours; a test elsewhere compares both.

Processes come and go. A worker that starts adds its memory, one that ends takes it away, and neither is
growth. So within a segment a process that has ended is taken out of the whole sum, and one that came later
counts only with what it grew by after its own start.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from memwarden_core.recording import FloatArray, ProcessInfo, Recording, Series, SeriesKey
from memwarden_core.settings import JudgeSettings

MEMORY_ANON: Final = "memwarden.memory.anon"
MEMORY_LIMIT: Final = "memwarden.memory.limit"
CPU_TIME: Final = "memwarden.cpu.time"
PROCESS_MEMORY_ANON: Final = "memwarden.process.memory.anon"
PROCESS_CPU_TIME: Final = "process.cpu.time"
PROCESS_FD_COUNT: Final = "process.unix.file_descriptor.count"
PROCESS_THREAD_COUNT: Final = "process.thread.count"
HEAP_LIVE: Final = "memwarden.heap.live"
HEAP_ALLOCATED: Final = "memwarden.heap.allocated"
OBJECTS_COUNT: Final = "memwarden.objects.count"
OBJECTS_SIZE: Final = "memwarden.objects.size"
CACHE_ENTRIES: Final = "memwarden.cache.entries"
CACHE_BOUND: Final = "memwarden.cache.bound"
CACHE_BOUND_BYTES: Final = "memwarden.cache.bound.bytes"
CACHE_BOUND_AGE: Final = "memwarden.cache.bound.age"
CACHE_HITS: Final = "memwarden.cache.hits"
CACHE_MISSES: Final = "memwarden.cache.misses"
CACHE_KIND: Final = "memwarden.cache.kind"
CACHE_NAME: Final = "memwarden.cache.name"
CACHE_ID: Final = "memwarden.cache.id"
CODE_FILE: Final = "code.file.path"
CODE_LINE: Final = "code.line.number"
CONTAINER_ENTRIES: Final = "memwarden.container.entries"
CONTAINER_TYPE: Final = "memwarden.container.type"
CONTAINER_NAME: Final = "memwarden.container.name"
CONTAINER_ID: Final = "memwarden.container.id"

EMPTY: Final = Series(np.empty(0), np.empty(0))
_LARGEST: Final = 2.0**64


@dataclass(frozen=True, slots=True)
class Signal:
    """Memory of the processes of one segment: arrays of one length; `heap` is NaN where it is not known."""

    time: FloatArray
    anon: FloatArray
    heap: FloatArray
    heap_coverage: float
    """Share of the memory, 0 to 1, that belongs to processes whose heap is known."""


def clean(series: Series, until: float) -> Series:
    """Values that 64 bits can hold, none below nothing, up to `until` in strictly rising time: a clock that jumped back
    loses the overlap."""
    time = np.asarray(series.time, dtype=np.float64)
    value = np.asarray(series.value, dtype=np.float64)
    size = min(time.size, value.size)
    time, value = time[:size], value[:size]
    usable = np.isfinite(time) & (value >= 0) & (value <= _LARGEST)
    time, value = time[usable], value[usable]
    if time.size:
        before = np.concatenate(([-np.inf], np.maximum.accumulate(time)[:-1]))
        keep = (time > before) & (time <= until)
        time, value = time[keep], value[keep]
    return Series(time, value)


def by_process(recording: Recording, metric: str, until: float) -> dict[int, Series]:
    """The cleaned series of a metric for each process that has one, by index of the process."""
    found: dict[int, Series] = {}
    for key, series in recording.series.items():
        if key.metric == metric and key.process is not None and 0 <= key.process < len(recording.processes):
            cleaned = clean(series, until)
            if cleaned.time.size:
                found[key.process] = cleaned
    return dict(sorted(found.items()))


def held(series: Series, time: FloatArray, hold: float) -> FloatArray:
    """The last value at each moment of `time`; NaN before the first and `hold` seconds after the last."""
    if not series.time.size:
        return np.full(time.size, np.nan)
    index = np.searchsorted(series.time, time + 1e-6, side="right") - 1
    value = series.value[np.maximum(index, 0)]
    outside = (index < 0) | (time > series.time[-1] + hold)
    return np.where(outside, np.nan, value)


def scope_memory(recording: Recording, until: float) -> Series:
    """Anonymous memory of the whole scope, or where that is missing the sum over its processes.

    Nothing at all is what is read of a program that has just ended: no process runs on nothing, so such samples are
    left out, lest a leak be taken for given back."""
    scope = clean(recording.series.get(SeriesKey(MEMORY_ANON), EMPTY), until)
    if scope.time.size:
        alive = scope.value > 0
        return Series(scope.time[alive], scope.value[alive]) if alive.any() else scope
    parts = by_process(recording, PROCESS_MEMORY_ANON, until)
    if not parts:
        return EMPTY
    time = np.unique(np.concatenate([part.time for part in parts.values()]))
    hold = 1.5 * max(recording.interval, 1e-3)
    total = np.zeros(time.size)
    for part in parts.values():
        total += np.nan_to_num(held(part, time, hold))
    return Series(time, total)


def is_departed(process: ProcessInfo, end: float, interval: float, settings: JudgeSettings) -> bool:
    """Whether a process ended well before the end of a segment."""
    return process.ended and process.last_seen < end - settings.departed_ticks * interval


def segment_signal(
    recording: Recording, memory: Series, start: float, end: float, settings: JudgeSettings
) -> Signal:
    """Memory and heap between two moments, without the steps that coming and going processes make."""
    inside = (memory.time >= start) & (memory.time <= end)
    time = memory.time[inside]
    anon = memory.value[inside].copy()
    interval = max(recording.interval, 1e-3)
    heap = np.zeros(time.size)
    heap_known = np.zeros(time.size, dtype=bool)
    anon_parts = by_process(recording, PROCESS_MEMORY_ANON, end)
    heap_parts = by_process(recording, HEAP_LIVE, end)
    of_hooked = of_all = 0.0
    for index, process in enumerate(recording.processes):
        departed = is_departed(process, end, interval, settings)
        came_late = process.started > start + settings.settle_ticks * interval
        # Whoever has gone is in no later sum: taken out of one, what is left would be less than there is.
        own = held(anon_parts.get(index, EMPTY), time, (0.25 if departed else 1.5) * interval)
        own_heap = held(heap_parts.get(index, EMPTY), time, np.inf)
        if departed:
            anon -= np.nan_to_num(own)
            continue
        if came_late:
            settled = process.started + 2 * settings.settle_ticks * interval
            anon -= _entry(time, own, settled)
            own_heap = own_heap - _entry(time, own_heap, settled)
        seen = np.isfinite(own_heap)
        heap[seen] += own_heap[seen]
        heap_known |= seen
        if time.size and index in anon_parts:
            last = float(anon_parts[index].value[-1])
            of_all += last
            of_hooked += last if index in heap_parts else 0.0
    coverage = of_hooked / of_all if of_all > 0 else (1.0 if heap_known.any() else 0.0)
    return Signal(time, anon, np.where(heap_known, heap, np.nan), coverage)


def _entry(time: FloatArray, value: FloatArray, settled: float) -> FloatArray:
    """What a late process brought with it: all of it until it settled, its size at that moment after."""
    known = np.nan_to_num(value)
    after = time >= settled
    if not after.any():
        return known
    base = known[int(np.argmax(after))]
    return np.where(after, np.minimum(known, base), known)
