"""Recordings that no honest sidecar sends, or that a bad day makes: a verdict with its reason, never an exception."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from eager import judge, replay

from memwarden_core.recording import FloatArray, MemoryLimit, ProcessInfo, Recording, Series, SeriesKey
from memwarden_core.signals import CPU_TIME, HEAP_ALLOCATED, MEMORY_ANON, PROCESS_MEMORY_ANON
from memwarden_core.synthetic import (
    EPOCH,
    MB,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    constant,
    for_ever,
    record,
)
from memwarden_core.verdict import Kind, Verdict

TICKS = 300


def of(time: FloatArray, value: FloatArray, interval: float = 1.0) -> Recording:
    """One process that is watched from outside."""
    ended = float(time[-1]) if time.size else EPOCH
    process = ProcessInfo(7, None, EPOCH, ended, False, "app", "/srv/app", "", False, "no Python")
    points = Series(time, value)
    series = {SeriesKey(MEMORY_ANON): points, SeriesKey(PROCESS_MEMORY_ANON, 0): points}
    return Recording(
        "run", "app", EPOCH, ended, interval, MemoryLimit(512 * MB, "option"), (process,), series
    )


def said(recording: Recording) -> Verdict:
    """At the end, judged all along; every number of it is finite."""
    verdicts = list(replay(recording, every_ticks=20))
    verdict = verdicts[-1] if verdicts else judge(recording, now=recording.ended)
    numbers = (verdict.confidence, verdict.growth_bytes_per_second, verdict.anon_bytes, verdict.since)
    assert all(number is None or np.isfinite(number) for number in numbers)
    assert verdict.headline
    assert verdict.reason
    return verdict


def leak(**options: object) -> Recording:
    process = SyntheticProcess([SyntheticSite("remember", constant(0.6 * MB), for_ever)], 60 * MB)
    return record(Shape([process], **options), TICKS, 5)  # type: ignore[arg-type]  # options of Shape, given by name


def with_memory(recording: Recording, change: Callable[[FloatArray], FloatArray]) -> Recording:
    """The same with other values of memory."""
    series = {
        key: Series(points.time, change(points.value))
        if "anon" in key.metric or "memory" in key.metric
        else points
        for key, points in recording.series.items()
    }
    return replace(recording, series=series)


TICK = np.arange(TICKS, dtype=np.float64)


@pytest.mark.parametrize(
    ("time", "value"),
    [
        (np.empty(0), np.empty(0)),
        (np.array([EPOCH]), np.array([1e8])),
        (EPOCH + TICK, np.full(TICKS, np.nan)),
        (EPOCH + TICK, np.full(TICKS, np.inf)),
        (EPOCH + TICK, np.full(TICKS, -5e7)),
        (np.full(TICKS, EPOCH), 1e8 + 1e6 * TICK),  # all at one moment
        (EPOCH + 60 * TICK[:20], 1e8 + 1e6 * TICK[:20]),  # one sample a minute at ticks of a second
    ],
    ids=["none", "one", "nan", "infinite", "negative", "one moment", "sparse"],
)
def test_what_can_not_be_judged_is_unknown_with_the_reason(time: FloatArray, value: FloatArray) -> None:
    verdict = said(of(time, value))
    assert verdict.kind in (Kind.UNKNOWN, Kind.WARMING_UP)


@pytest.mark.parametrize("level", [0.0, 1.0, 1e8, 2.0**63])
def test_what_never_moves_is_healthy(level: float) -> None:
    assert said(of(EPOCH + TICK, np.full(TICKS, level))).kind is Kind.HEALTHY


def test_a_size_of_all_bits_in_the_middle_does_not_hide_the_leak() -> None:
    def broken(value: FloatArray) -> FloatArray:
        value = value.copy()
        value[150:152] = 2.0**63
        return value

    assert said(with_memory(leak(), broken)).kind in (Kind.LEAKING, Kind.GROWING)


def test_a_process_that_starts_again_each_minute_is_not_called_leaking() -> None:
    """Each life is too short to tell; together they have no trend."""
    verdicts = list(replay(of(EPOCH + TICK, 5e7 + 1e6 * (TICK % 60)), every_ticks=10))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}


def test_counters_that_begin_again_explain_nothing() -> None:
    """CPU time and allocated bytes fall to nothing as their process is replaced; the leak is one all the same."""
    whole = leak()
    series = {
        key: Series(points.time, points.value % (points.value.max() / 4))
        if key.metric in (CPU_TIME, HEAP_ALLOCATED)
        else points
        for key, points in whole.series.items()
    }
    assert said(replace(whole, series=series)).kind is Kind.LEAKING


@pytest.mark.parametrize("limit", [None, 0.0, -1.0, 1.0, np.nan, np.inf, 2.0**63])
def test_no_limit_makes_it_fail(limit: float | None) -> None:
    given = None if limit is None else MemoryLimit(limit, "cgroup")
    verdict = said(replace(leak(), limit=given))
    assert verdict.kind in (Kind.LEAKING, Kind.GROWING)
    assert verdict.forecast is None or verdict.forecast.p10 <= verdict.forecast.p50 <= verdict.forecast.p90


def test_a_limit_that_changes_between_two_judgements_does_not_take_a_leak_back() -> None:
    whole = leak()
    earlier = judge(whole, now=whole.ended - 20)
    assert earlier.kind is Kind.LEAKING
    raised = replace(whole, limit=MemoryLimit(8e9, "cgroup"))
    assert judge(raised, now=whole.ended, previous=(earlier,)).kind is Kind.LEAKING


def test_a_clock_that_jumps_makes_no_leak() -> None:
    time = EPOCH + TICK
    time[150:] -= 3600.0
    generator = np.random.default_rng(3)
    recording = replace(of(time, 1e8 + generator.normal(0, 2e5, TICKS)), ended=EPOCH + TICKS)
    assert said(recording).kind is not Kind.LEAKING


def test_a_million_samples_are_judged() -> None:
    tick = np.arange(1_000_000, dtype=np.float64)
    generator = np.random.default_rng(4)
    recording = of(EPOCH + tick, 1e8 + 200.0 * tick + generator.normal(0, 1e6, tick.size))
    verdict = judge(recording, now=recording.ended)
    assert verdict.kind in (Kind.LEAKING, Kind.GROWING)
    assert verdict.growth_bytes_per_second == pytest.approx(200, rel=0.2)
