"""Any mixture of what goes wrong with a recording: a verdict with its reason, and no leak where nothing grew."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from eager import judge
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memwarden_core import gates
from memwarden_core.recording import FloatArray, MemoryLimit, ProcessInfo, Recording, Series, SeriesKey
from memwarden_core.signals import (
    CPU_TIME,
    HEAP_ALLOCATED,
    HEAP_LIVE,
    MEMORY_ANON,
    MEMORY_LIMIT,
    PROCESS_MEMORY_ANON,
    PROCESS_THREAD_COUNT,
)
from memwarden_core.synthetic import EPOCH, MB
from memwarden_core.verdict import Kind, Verdict

TICKS = 260
TICK = np.arange(TICKS, dtype=np.float64)
COUNTERS = (CPU_TIME, HEAP_ALLOCATED)

Spoiling = Callable[[Recording], Recording]


def steady(interval: float, leak_bytes: float) -> Recording:
    """A service with some noise; `leak_bytes` a tick on top."""
    generator = np.random.default_rng(7)
    time = EPOCH + interval * TICK
    memory = 80 * MB + generator.normal(0, 0.3 * MB, TICKS) + leak_bytes * TICK
    own = SeriesKey(PROCESS_MEMORY_ANON, 0)
    values = {
        SeriesKey(MEMORY_ANON): memory,
        own: memory,
        SeriesKey(HEAP_LIVE, 0): 0.7 * memory,
        SeriesKey(HEAP_ALLOCATED, 0): 5 * MB * TICK,
        SeriesKey(CPU_TIME): 0.2 * interval * TICK,
        SeriesKey(PROCESS_THREAD_COUNT, 0): 4 + TICK // 20,
        SeriesKey(MEMORY_LIMIT): np.full(TICKS, 512 * MB),
    }
    process = ProcessInfo(
        7, None, EPOCH, float(time[-1]), False, "app", "/srv/app", "cpython 3.12.1", True, ""
    )
    series = {key: Series(time, value) for key, value in values.items()}
    limit = MemoryLimit(512 * MB, "cgroup")
    return Recording("s", "app", EPOCH, float(time[-1]), interval, limit, (process,), series)


def changed(recording: Recording, change: Callable[[SeriesKey, Series], Series]) -> Recording:
    return replace(recording, series={key: change(key, one) for key, one in recording.series.items()})


def is_memory(key: SeriesKey) -> bool:
    return key.metric in (MEMORY_ANON, PROCESS_MEMORY_ANON, HEAP_LIVE)


def with_gap(begin: int, length: int) -> Spoiling:
    def cut(_: SeriesKey, one: Series) -> Series:
        kept = np.ones(one.time.size, dtype=bool)
        kept[begin : begin + length] = False
        return Series(one.time[kept], one.value[kept])

    return lambda recording: changed(recording, cut)


def clock_jumps(at: int, ticks: int) -> Spoiling:
    """Forwards or back, for all that comes later."""

    def moved(recording: Recording) -> Recording:
        def jump(_: SeriesKey, one: Series) -> Series:
            time = one.time.copy()
            time[at:] += ticks * recording.interval
            return Series(time, one.value)

        return changed(recording, jump)

    return moved


def counters_begin_again(every: int) -> Spoiling:
    def again(key: SeriesKey, one: Series) -> Series:
        period = max(1.0, float(np.nanmax(one.value, initial=1.0)) * every / TICKS)
        return Series(one.time, one.value % period) if key.metric in COUNTERS else one

    return lambda recording: changed(recording, again)


def memory_is(value: float, begin: int, length: int) -> Spoiling:
    """NaN, negative, infinite, all bits."""

    def put(key: SeriesKey, one: Series) -> Series:
        if not is_memory(key):
            return one
        values = one.value.copy()
        values[begin : begin + length] = value
        return Series(one.time, values)

    return lambda recording: changed(recording, put)


def restarts_each_minute(ticks: int) -> Spoiling:
    """One process after another, each from nothing."""

    def restarted(recording: Recording) -> Recording:
        series: dict[SeriesKey, Series] = {}
        processes = []
        whole = recording.processes[0]
        for number in range(-(-TICKS // ticks)):
            inside = slice(number * ticks, (number + 1) * ticks)
            begun = EPOCH + number * ticks * recording.interval
            seen = begun + (ticks - 1) * recording.interval
            processes.append(replace(whole, pid=10 + number, started=begun, last_seen=seen, ended=True))
            for key, one in recording.series.items():
                if key.process == 0:
                    part = Series(one.time[inside], one.value[inside])
                    series[key._replace(process=number)] = part
                else:
                    series[key] = one
        processes[-1] = replace(processes[-1], ended=False, last_seen=recording.ended)
        return replace(recording, processes=tuple(processes), series=series)

    return restarted


def only(count: int) -> Spoiling:
    """So many samples and no more."""
    return lambda recording: changed(recording, lambda _, one: Series(one.time[:count], one.value[:count]))


def constant(value: float) -> Spoiling:
    return lambda recording: changed(
        recording, lambda key, one: Series(one.time, np.full(one.time.size, value)) if is_memory(key) else one
    )


def limit_is(value: float | None) -> Spoiling:
    limit = None if value is None else MemoryLimit(value, "cgroup")
    return lambda recording: replace(recording, limit=limit)


def limit_changes(at: int, to: float) -> Spoiling:
    def put(key: SeriesKey, one: Series) -> Series:
        values: FloatArray = one.value.copy()
        if key.metric == MEMORY_LIMIT:
            values[at:] = to
        return Series(one.time, values)

    return lambda recording: changed(recording, put)


place = st.integers(0, TICKS - 1)
SPOILINGS = st.one_of(
    st.builds(with_gap, place, st.integers(1, 200)),
    st.builds(clock_jumps, place, st.integers(-3600, 3600)),
    st.builds(counters_begin_again, st.integers(1, 100)),
    st.builds(
        memory_is,
        st.sampled_from([np.nan, np.inf, -np.inf, -5e7, 0.0, 2.0**63, 1e300]),
        place,
        st.integers(1, TICKS),
    ),
    st.builds(restarts_each_minute, st.integers(20, 90)),
    st.builds(only, st.integers(0, 40)),
    st.builds(constant, st.sampled_from([0.0, 1.0, 1e8, 2.0**63])),
    st.builds(limit_is, st.sampled_from([None, 0.0, -1.0, np.nan, np.inf, 2.0**63])),
    st.builds(limit_changes, place, st.sampled_from([0.0, 64 * MB, 4096 * MB, np.nan, 2.0**63])),
)


def numbers(verdict: Verdict) -> list[float | None]:
    found = [verdict.confidence, verdict.growth_bytes_per_second, verdict.anon_bytes, verdict.since]
    found += [*(verdict.growth_interval or ()), *(gate.value for gate in verdict.gates)]
    if verdict.forecast is not None:
        found += [verdict.forecast.p10, verdict.forecast.p50, verdict.forecast.p90]
    return found


@settings(max_examples=80, derandomize=True, deadline=None, database=None)
@given(
    spoilings=st.lists(SPOILINGS, min_size=1, max_size=4),
    interval=st.sampled_from([0.25, 1.0, 15.0]),
    leak_bytes=st.sampled_from([0.0, 0.0, 0.5 * MB]),
    at=st.floats(0.05, 1.3),
)
@example(spoilings=[], interval=1.0, leak_bytes=0.0, at=1.0)
@example(spoilings=[memory_is(1e300, 60, 200)], interval=1.0, leak_bytes=0.0, at=1.0)
@example(spoilings=[memory_is(1e300, 200, 60)], interval=1.0, leak_bytes=0.5 * MB, at=1.0)
def test_whatever_is_wrong_there_is_a_verdict_and_no_leak_where_nothing_grew(
    spoilings: list[Spoiling], interval: float, leak_bytes: float, at: float
) -> None:
    recording = steady(interval, leak_bytes)
    for spoil in spoilings:
        recording = spoil(recording)
    now = EPOCH + at * TICKS * interval
    verdict = judge(recording, now=now)
    again = judge(recording, now=now + 10 * interval, previous=(verdict,))
    for one in (verdict, again):
        assert all(number is None or np.isfinite(number) for number in numbers(one))
        assert [gate.name for gate in one.gates] == list(gates.NAMES)
        assert one.headline
        assert one.reason
        if not leak_bytes:
            assert one.kind is not Kind.LEAKING
