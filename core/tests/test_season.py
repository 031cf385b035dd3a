"""Daily and weekly rhythms: generated series, since nobody waits for weeks."""

from dataclasses import replace

import numpy as np
import pytest

from memwarden_core.judge import judge
from memwarden_core.recording import MemoryLimit, Recording, Series, SeriesKey
from memwarden_core.season import DAY, season
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import MEMORY_ANON
from memwarden_core.synthetic import EPOCH, MB
from memwarden_core.verdict import Kind

TICK = 300.0
SETTINGS = JudgeSettings()


def days(count: float, swing: float, leak_a_day: float, seed: int, weekly: float = 0.0) -> Recording:
    """Memory that follows the working day, with noise that remembers itself, by ticks of five minutes."""
    generator = np.random.default_rng(seed)
    time = EPOCH + np.arange(0, count * DAY, TICK)
    hour = (time % DAY) / 3600
    day = swing * np.exp(-(((hour - 14 - generator.uniform(-1, 1)) / 3.5) ** 2))
    week = weekly * (((time // DAY) % 7) < 5)
    noise = np.zeros(time.size)
    for index, jump in enumerate(generator.normal(0, 0.01 * swing + MB, time.size)):
        noise[index] = 0.8 * noise[index - 1] + jump
    busy = 1 + 0.1 * generator.normal(size=int(count) + 2)[((time - EPOCH) // DAY).astype(int)]
    value = 400 * MB + day * busy + week + noise + leak_a_day * (time - EPOCH) / DAY
    series = {SeriesKey(MEMORY_ANON): Series(time, value)}
    limit = MemoryLimit(4e9, "option")
    return Recording("s", "python app.py", EPOCH, float(time[-1]), TICK, limit, (), series)


def kind(recording: Recording) -> Kind:
    return judge(recording, now=recording.ended).kind


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [3.4, 7.2, 13.6])
def test_a_working_day_is_no_leak(seed: int, count: float) -> None:
    assert kind(days(count, 300 * MB, 0.0, seed)) is not Kind.LEAKING


@pytest.mark.parametrize("seed", range(5))
def test_a_week_is_no_leak(seed: int) -> None:
    assert kind(days(24.3, 200 * MB, 0.0, seed, weekly=150 * MB)) is not Kind.LEAKING


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_is_found_under_the_working_day(seed: int) -> None:
    """`Growing` at least: without a known site the judge asks for more certainty than a week of noise may leave."""
    recording = days(8.4, 300 * MB, 60 * MB, seed)
    verdict = judge(recording, now=recording.ended)
    assert verdict.kind in (Kind.LEAKING, Kind.GROWING), verdict.reason
    assert verdict.growth_bytes_per_second is not None
    assert 50 * MB < verdict.growth_bytes_per_second * DAY < 70 * MB
    assert "daily rhythm" in next(gate.text for gate in verdict.gates if gate.name == "season")


def test_days_earlier_than_without_this_step() -> None:
    blind = replace(SETTINGS, season_strength=2.0)
    recordings = [days(3.4, 300 * MB, 80 * MB, seed) for seed in range(10)]
    assert {judge(one, now=one.ended, settings=blind).kind for one in recordings} == {Kind.HEALTHY}
    assert [kind(one) for one in recordings].count(Kind.HEALTHY) <= 1


def test_what_was_taken_out_is_what_was_put_in() -> None:
    recording = days(9.0, 300 * MB, 50 * MB, 1)
    series = recording.series[SeriesKey(MEMORY_ANON)]
    found = season(series.time, series.value, DAY, SETTINGS)
    assert found is not None
    assert 0.8 * 300 * MB < found.swing < 1.2 * 300 * MB
    assert found.strength > 0.8
    noon, night = EPOCH - EPOCH % DAY + 14 * 3600, EPOCH - EPOCH % DAY + 3 * 3600
    assert float(found.at(np.array([noon]))[0] - found.at(np.array([night]))[0]) > 200 * MB


@pytest.mark.parametrize("seed", range(20))
def test_noise_has_no_rhythm(seed: int) -> None:
    generator = np.random.default_rng(seed)
    time = EPOCH + np.arange(0, 6 * DAY, TICK)
    wandering = np.cumsum(generator.normal(0, MB, time.size))
    assert season(time, wandering, DAY, SETTINGS) is None
    assert season(time, generator.normal(0, MB, time.size), DAY, SETTINGS) is None


def test_too_little_was_seen() -> None:
    recording = days(2.9, 300 * MB, 0.0, 1)
    series = recording.series[SeriesKey(MEMORY_ANON)]
    assert season(series.time, series.value, DAY, SETTINGS) is None
    gappy = series.time % DAY > 0.4 * DAY
    longer = days(9.0, 300 * MB, 0.0, 1).series[SeriesKey(MEMORY_ANON)]
    gappy = longer.time % DAY > 0.4 * DAY
    assert season(longer.time[gappy], longer.value[gappy], DAY, SETTINGS) is None
    assert season(np.array([1.0]), np.array([1.0]), DAY, SETTINGS) is None
