"""Recordings made by formula, for tests and for figures of false alarms: no substitute for recorded programs.

Objects of 16 KiB are born and die at Poisson times; a heap profiler sees one in 32 of them (512 KiB a
sample), the process's memory is all of them, rounded to arenas, plus noise. All times are in ticks, so the
same shape can be had at any interval. `families` holds the shapes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from memwarden_core.recording import (
    AGE_BOUNDS_SECONDS,
    FloatArray,
    Frame,
    MemoryLimit,
    ProcessInfo,
    Profile,
    Recording,
    Series,
    SeriesKey,
    Stack,
)
from memwarden_core.signals import (
    CPU_TIME,
    HEAP_ALLOCATED,
    HEAP_LIVE,
    MEMORY_ANON,
    PROCESS_MEMORY_ANON,
    PROCESS_THREAD_COUNT,
)

OBJECT_BYTES = 16 * 1024
SAMPLING_BYTES = 512 * 1024
MB = 1_000_000.0
EPOCH = 1_800_000_000.0

RateOf = Callable[[FloatArray], FloatArray]
DeathOf = Callable[[FloatArray, np.random.Generator], FloatArray]


def for_ever(birth: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Objects that nobody lets go of."""
    return np.full(birth.size, np.inf)


def after(ticks: float) -> DeathOf:
    """Objects that live for a random time with this mean."""
    return lambda birth, generator: birth + generator.exponential(ticks, birth.size)


def first_in_first_out(ticks: float) -> DeathOf:
    """Objects of a bounded queue or cache that is full after so many ticks."""
    return lambda birth, generator: birth + ticks


def at_batch_end(period: float, phase: float = 0.0) -> DeathOf:
    """Objects that pile up until a batch ends."""
    return lambda birth, generator: (np.floor((birth - phase) / period) + 1) * period + phase


def constant(bytes_per_tick: float, begin: float = 2.0, end: float = np.inf) -> RateOf:
    """A steady rate between two moments."""
    return lambda tick: np.where((tick >= begin) & (tick < end), bytes_per_tick, 0.0)


@dataclass(frozen=True)
class SyntheticSite:
    """One allocation site: bytes born per tick, and when they die."""

    function: str
    rate: RateOf
    death: DeathOf
    sampled: bool = True
    """False: memory of a C library, which no site sees."""


@dataclass(frozen=True)
class SyntheticProcess:
    """One process: what it starts with, its sites, and its life in ticks."""

    sites: Sequence[SyntheticSite] = ()
    base_bytes: float = 60 * MB
    begin: float = 0.0
    end: float = np.inf
    hooked: bool = True
    threads: RateOf | None = None
    """How many threads it has, by tick; None: nobody counts."""


@dataclass(frozen=True)
class Shape:
    """A whole scope."""

    processes: Sequence[SyntheticProcess]
    noise_bytes: float = 0.2 * MB
    noise_memory: float = 0.5
    """Autoregression of the noise from tick to tick; 1 is a random walk."""
    added: RateOf = field(default=lambda tick: np.zeros(tick.size))
    """Bytes on top that no heap sees, by tick (a step, arenas kept)."""
    load: RateOf = field(default=lambda tick: np.ones(tick.size))
    """CPU seconds per second."""
    gaps: Sequence[tuple[float, float]] = ()
    limit_bytes: float | None = 512 * 2**20
    arena_bytes: float = 256 * 1024


def record(shape: Shape, ticks: int, seed: int, interval: float = 1.0, profile_ticks: int = 5) -> Recording:
    """Run a shape for so many ticks."""
    generator = np.random.default_rng(seed)
    tick = np.arange(ticks + 1, dtype=np.float64)
    kept = np.ones(tick.size, dtype=bool)
    for begin, end in shape.gaps:
        kept &= (tick < begin) | (tick >= end)
    jitter = generator.uniform(0, 0.02, tick.size) * interval
    time = EPOCH + tick * interval + jitter
    anon = shape.added(tick) + _noise(shape, tick.size, generator)
    series: dict[SeriesKey, Series] = {}
    stacks: list[Stack] = []
    profiles: list[Profile] = []
    infos = []
    for index, process in enumerate(shape.processes):
        alive = (tick >= process.begin) & (tick < process.end)
        own, heap, allocated, found = _run(process, index, tick, stacks, interval, profile_ticks, generator)
        own = np.where(alive, np.ceil(own / shape.arena_bytes) * shape.arena_bytes, 0.0)
        anon += own
        seen = alive & kept
        if not seen.any():
            continue
        series[SeriesKey(PROCESS_MEMORY_ANON, index)] = Series(time[seen], own[seen])
        if process.threads is not None:
            series[SeriesKey(PROCESS_THREAD_COUNT, index)] = Series(time[seen], process.threads(tick)[seen])
        if process.hooked:
            series[SeriesKey(HEAP_LIVE, index)] = Series(time[seen], heap[seen])
            series[SeriesKey(HEAP_ALLOCATED, index)] = Series(time[seen], allocated[seen])
            profiles += [profile for at, profile in found if seen[at]]
        infos.append(_info(process, index, float(time[seen][-1]), bool(process.end <= ticks), interval))
    load = shape.load(tick) * generator.uniform(0.9, 1.1, tick.size)
    series[SeriesKey(CPU_TIME)] = Series(time[kept], np.cumsum(load * interval)[kept])
    series[SeriesKey(MEMORY_ANON)] = Series(time[kept], np.maximum(anon, 0.0)[kept])
    limit = MemoryLimit(shape.limit_bytes, "option") if shape.limit_bytes else None
    return Recording(
        scope="synthetic", command="python app.py", started=EPOCH, ended=float(time[-1]), interval=interval,
        limit=limit, processes=tuple(infos), series=series, stacks=tuple(stacks),
        profiles=tuple(sorted(profiles, key=lambda profile: profile.time)),
    )  # fmt: skip


def _info(process: SyntheticProcess, index: int, last: float, ended: bool, interval: float) -> ProcessInfo:
    return ProcessInfo(
        pid=100 + index, parent_pid=100 if index else None, started=EPOCH + process.begin * interval,
        last_seen=last, ended=ended, command="python app.py", executable="/usr/bin/python3",
        runtime="cpython 3.11.7" if process.hooked else "", hooked=process.hooked,
        reason="" if process.hooked else "no Python", library_prefixes=("/usr/lib/python3.11",),
    )  # fmt: skip


def _noise(shape: Shape, size: int, generator: np.random.Generator) -> FloatArray:
    memory = shape.noise_memory
    spread = shape.noise_bytes * (1.0 if memory >= 1 else (1 - memory**2) ** 0.5)
    steps = generator.normal(0.0, spread, size)
    noise = np.empty(size)
    last = 0.0 if memory >= 1 else float(generator.normal(0.0, shape.noise_bytes))
    for position in range(size):
        last = memory * last + steps[position]
        noise[position] = last
    return noise


def _run(
    process: SyntheticProcess,
    index: int,
    tick: FloatArray,
    stacks: list[Stack],
    interval: float,
    profile_ticks: int,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray, list[tuple[int, Profile]]]:
    """(memory, estimated heap, allocated, profiles with the index of their tick) of one process."""
    size = tick.size
    total, heap = np.zeros(size), np.zeros(size)
    allocated = np.zeros(size)
    lives: list[tuple[int, FloatArray, FloatArray]] = []
    for site in process.sites:
        rate = np.where((tick >= process.begin) & (tick < process.end), site.rate(tick), 0.0)
        count = generator.poisson(np.maximum(rate, 0.0) / OBJECT_BYTES)
        birth = np.repeat(tick, count) + generator.uniform(0, 1, int(count.sum()))
        death = site.death(birth, generator)
        total += _live(birth, death, tick) * OBJECT_BYTES
        if not site.sampled:
            continue
        allocated += np.cumsum(count) * OBJECT_BYTES
        chosen = generator.uniform(0, 1, birth.size) < OBJECT_BYTES / SAMPLING_BYTES
        heap += _live(birth[chosen], death[chosen], tick) * SAMPLING_BYTES
        lives.append((len(stacks), birth[chosen], death[chosen]))
        line = 10 + len(stacks)
        stacks.append(
            (
                Frame("/usr/lib/python3.11/json/decoder.py", 353, "raw_decode"),
                Frame(f"/srv/shop/{site.function}.py", line, site.function),
                Frame("/srv/shop/app.py", 7, "handle"),
            )
        )
    profiles = [
        (at, _profile(lives, index, float(tick[at]), interval))
        for at in range(profile_ticks, size, profile_ticks)
    ]
    # An interpreter takes a few ticks to load its modules.
    base = process.base_bytes * (1 - 0.6 * np.exp(-np.maximum(tick - process.begin, 0.0) / 0.7))
    return base + 1.08 * total, heap, allocated, profiles


def _live(birth: FloatArray, death: FloatArray, tick: FloatArray) -> FloatArray:
    born = np.searchsorted(np.sort(birth), tick, side="right")
    gone = np.searchsorted(np.sort(death), tick, side="right")
    return (born - gone).astype(np.float64)


def _profile(
    lives: Sequence[tuple[int, FloatArray, FloatArray]],
    process: int,
    now: float,
    interval: float,
) -> Profile:
    rows, counts = [], []
    for stack, birth, death in lives:
        age = (now - birth[(birth <= now) & (death > now)]) * interval
        if age.size:
            bucket = np.searchsorted(np.array(AGE_BOUNDS_SECONDS), age, side="left")
            rows.append(stack)
            counts.append(np.bincount(bucket, minlength=10))
    samples = np.array(counts, dtype=np.int64).reshape(len(rows), 10)
    return Profile(
        time=EPOCH + now * interval,
        process=process,
        stacks=np.array(rows, dtype=np.int64),
        live_bytes=np.asarray(samples * float(SAMPLING_BYTES), dtype=np.float64),
        blocks=np.asarray(samples * (SAMPLING_BYTES / OBJECT_BYTES), dtype=np.float64),
        samples=samples,
    )
