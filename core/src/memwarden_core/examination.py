"""All that is measured before anything is decided: one pass over a recording up to one moment."""

from dataclasses import dataclass

import numpy as np

from memwarden_core.attribution import Attribution, attribute
from memwarden_core.bounds import Filling, filling
from memwarden_core.companions import NOBODY, Companions, companions
from memwarden_core.containers import containers
from memwarden_core.floors import floors
from memwarden_core.growth import Growth, growth
from memwarden_core.lives import Rested, rested_before
from memwarden_core.load import Load, load
from memwarden_core.recording import FloatArray, MemoryLimit, Recording, Series
from memwarden_core.season import Rhythms, Season, rhythms
from memwarden_core.segments import Segment, after_step, segments, settled_from
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import Signal, scope_memory, segment_signal
from memwarden_core.trend import theil_sen
from memwarden_core.wording import duration
from memwarden_core.work import SlowerWork, is_churned, slower_work, work_done


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured. `trouble` says why nothing can be said yet, "" where something can."""

    at: float
    interval: float
    segment: Segment | None
    ended: bool
    age: float
    """Seconds of the current segment, warm-up included."""
    watched: float
    """Seconds of it that are judged."""
    trouble: str
    too_early: bool
    memory: Series
    signal: Signal | None
    """Without the rhythms of `seasons`."""
    seasons: tuple[Season, ...]
    growth: Growth | None
    heap_slope: float | None
    held_bytes: float
    """What the heap gave back long ago and the process still holds; 0 where unknown."""
    load: Load | None
    attribution: Attribution | None
    filling: Filling | None
    """A cache with a known bound that this growth goes into."""
    rested: Rested | None
    """A level that the life before this one kept to, and that is not reached again yet."""
    beside: Companions
    """What rises together with memory."""
    slower: SlowerWork | None
    """Where growth slowed because the program got less done."""
    churned: bool
    """Whether Python allocated so much while memory grew that growth is a small part of it."""
    limit: MemoryLimit | None

    @property
    def anon(self) -> float | None:
        """The newest value of anonymous memory; of a run that has ended, the last before the end began: the very
        last samples may see a program that is half gone."""
        if not self.memory.value.size:
            return None
        if self.ended and self.signal is not None and self.signal.time.size:
            last = int(np.searchsorted(self.memory.time, self.signal.time[-1], side="right")) - 1
            return float(self.memory.value[max(last, 0)])
        return float(self.memory.value[-1])

    @property
    def heap_share(self) -> float | None:
        """Growth of the live heap over growth of the memory."""
        if self.heap_slope is None or self.growth is None or self.growth.trend.slope <= 0:
            return None
        return self.heap_slope / self.growth.trend.slope


def examine(recording: Recording, at: float, settings: JudgeSettings) -> Findings:
    """Measure everything the gates ask for, using nothing after the moment `at`."""
    interval = max(recording.interval, 1e-3)
    memory = scope_memory(recording, at)
    ended = _has_ended(recording, memory, at, interval, settings)
    found_segments = segments(recording, memory, settings)
    chosen = _choose(found_segments, ended, interval, settings)
    age = chosen.end - chosen.start if chosen else 0.0
    silent = at - chosen.end if chosen and not ended else 0.0
    signal: Signal | None = None
    measured: Growth | None = None
    seasons: tuple[Season, ...] = ()
    watched = 0.0
    if chosen is not None:
        end = chosen.end - 2 * interval if ended else chosen.end
        start, signal, found = _without_warm_up(recording, memory, chosen.start, end, interval, settings)
        seasons = found.memory
        if signal.time.size:
            watched = float(signal.time[-1]) - start
            measured = growth(signal.time, signal.anon, interval, settings)
    trouble, too_early = _trouble(recording, chosen, ended, age, silent, measured, interval, settings)
    slope = held = None
    work: Load | None = None
    sites: Attribution | None = None
    into: Filling | None = None
    rested: Rested | None = None
    beside = NOBODY
    slower: SlowerWork | None = None
    churned = False
    if signal is not None and measured is not None and not trouble:
        until = float(signal.time[-1])
        slope = heap_slope(signal, measured.since, interval, settings)
        held = _held(signal, interval, settings)
        work = load(recording, measured.floors, until, settings)
        sites = attribute(recording, measured.since, until + interval, slope, settings)
        seen = Series(signal.time, signal.anon)
        known = containers(recording, until)
        into = filling(recording, measured, sites, seen, known, settings)
        if measured.trend.rise > 0:
            done = work_done(recording, measured, until)
            churned = is_churned(done, measured, settings)
            slower = slower_work(done, measured, interval, settings)
        beside = companions(recording, measured, seen, known, settings)
        if chosen is not None:
            rested = _not_reached(
                rested_before(found_segments, chosen, memory, interval, settings), memory, settings
            )
    return Findings(
        at=at,
        interval=interval,
        segment=chosen,
        ended=ended,
        age=age,
        watched=watched,
        trouble=trouble,
        too_early=too_early,
        memory=memory,
        signal=signal,
        seasons=seasons,
        growth=measured,
        heap_slope=slope,
        held_bytes=held or 0.0,
        load=work,
        attribution=sites,
        filling=into,
        rested=rested,
        beside=beside,
        slower=slower,
        churned=churned,
        limit=recording.limit,
    )


def _not_reached(rested: Rested | None, memory: Series, settings: JudgeSettings) -> Rested | None:
    """The level, while memory is below it."""
    if rested is None or float(memory.value[-1]) >= settings.full_share * rested.level:
        return None
    return rested


def _has_ended(
    recording: Recording, memory: Series, at: float, interval: float, settings: JudgeSettings
) -> bool:
    started = [process for process in recording.processes if process.started <= at]
    if started:
        return all(process.ended and process.last_seen <= at for process in started)
    last = float(memory.time[-1]) if memory.time.size else recording.ended
    return recording.ended < at - settings.gap_ticks * interval and last < at - settings.gap_ticks * interval


def _choose(found: list[Segment], ended: bool, interval: float, settings: JudgeSettings) -> Segment | None:
    """The current segment; of a run that is over, the last one that is long enough to say anything."""
    if not found:
        return None
    if ended:
        for segment in reversed(found):
            if segment.end - segment.start >= settings.warm_up_ticks * interval:
                return segment
    return found[-1]


def _without_warm_up(
    recording: Recording,
    memory: Series,
    start: float,
    end: float,
    interval: float,
    settings: JudgeSettings,
) -> tuple[float, Signal, Rhythms]:
    """The moment at which warm-up and the last single step are over, the signal from there on without its rhythms, and
    these: a morning is neither warm-up nor a step."""
    signal = segment_signal(recording, memory, start, end, settings)
    if signal.time.size < 4:
        return start, signal, Rhythms()
    found = rhythms(signal, settings)
    signal = found.taken_out_of(signal)
    begin = settled_from(signal.time, signal.anon, interval, settings)
    least = settings.min_windows * settings.window_ticks * interval
    for _ in range(4):
        cut = _from(signal, begin)
        step = after_step(cut.time, cut.anon, interval, settings) if cut.time.size > 3 else None
        if step is None or end - step < least:
            break
        begin = step
    if begin > start + settings.settle_ticks * interval:
        rebased = segment_signal(recording, memory, begin, end, settings)
        return begin, found.taken_out_of(rebased), found
    return begin, _from(signal, begin), found


def _from(signal: Signal, begin: float) -> Signal:
    chosen = signal.time >= begin - 1e-9
    return Signal(signal.time[chosen], signal.anon[chosen], signal.heap[chosen], signal.heap_coverage)


def _trouble(
    recording: Recording,
    segment: Segment | None,
    ended: bool,
    age: float,
    silent: float,
    measured: Growth | None,
    interval: float,
    settings: JudgeSettings,
) -> tuple[str, bool]:
    """(why nothing can be said, whether that is only because it is early)."""
    needed = duration(settings.warm_up_ticks * interval)
    if segment is None:
        return "no sample of the memory has arrived", False
    if silent > settings.gap_ticks * interval:
        return f"no sample for {duration(silent)}; is the sidecar running?", False
    if age < settings.warm_up_ticks * interval:
        if ended:
            return f"ran only {duration(age)}; at least {needed} are needed", False
        begun = {"start": "started", "restart": "restarted", "gap": "seen again after a gap"}
        what = begun.get(segment.cause, f"{segment.cause}:")
        return f"{what} {duration(age)} ago, too early to say (before {needed})", True
    if measured is None:
        early = age < 2 * settings.warm_up_ticks * interval
        count = f"too few samples in {duration(age)} for {settings.min_windows} floors"
        return (f"{count}; it is early", not ended) if early else (f"{count}: there are gaps", False)
    return "", False


def heap_slope(signal: Signal, since: float, interval: float, settings: JudgeSettings) -> float | None:
    """Bytes per second by which the floors of the live heap grew since a moment; None where it is not
    known."""
    chosen = (signal.time >= since - 1e-9) & np.isfinite(signal.heap)
    if np.count_nonzero(chosen) < settings.min_windows:
        return None
    span = float(np.ptp(signal.time[chosen]))
    window = max(settings.settle_ticks * interval, span / settings.target_windows)
    lows = floors(signal.time[chosen], signal.heap[chosen], interval, settings, window)
    return theil_sen(lows.time, lows.value)


def _held(signal: Signal, interval: float, settings: JudgeSettings) -> float:
    """Bytes the heap gave back before the last half of the segment and that the process still holds."""
    known = np.isfinite(signal.heap)
    if np.count_nonzero(known) < settings.min_windows or signal.heap_coverage < 0.5:
        return 0.0
    time, heap, anon = signal.time[known], signal.heap[known], signal.anon[known]
    half = time[0] + (time[-1] - time[0]) / 2
    early, late = time < half, time >= half
    if not early.any() or not late.any():
        return 0.0
    given_back = _peak(heap[early]) - _peak(heap[late])
    fell = _peak(anon[early]) - float(np.median(anon[late]))
    return float(max(0.0, given_back - max(0.0, fell)))


def _peak(value: FloatArray) -> float:
    """A peak that was no single sample."""
    return float(np.quantile(value, 0.9))
