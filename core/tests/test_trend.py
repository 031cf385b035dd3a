"""The tests of a trend, each against what it is there for."""

import numpy as np
import pytest

from memwarden_core.floors import Floors, floors
from memwarden_core.forecast import forecast
from memwarden_core.settings import JudgeSettings
from memwarden_core.shape import onset, shape
from memwarden_core.trend import drift, mann_kendall, signs, theil_sen, trend, walk

SETTINGS = JudgeSettings()
TIME = np.arange(40.0)


def walks(memory: float, count: int = 400) -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    found = []
    for _ in range(count):
        value = np.zeros(TIME.size)
        for index in range(1, TIME.size):
            value[index] = memory * value[index - 1] + generator.normal()
        found.append(value)
    return found


def test_theil_sen_is_not_moved_by_outliers() -> None:
    value = 3.0 * TIME
    value[[5, 20, 33]] += 1000
    assert theil_sen(TIME, value) == pytest.approx(3.0, abs=0.3)


def test_a_line_has_a_narrow_interval_around_its_slope() -> None:
    value = 2.0 * TIME + np.random.default_rng(1).normal(0, 1, TIME.size)
    found = trend(TIME, value)
    assert found.lower < 2.0 < found.upper
    assert found.upper - found.lower < 0.2
    assert found.mann_kendall_z > 5


@pytest.mark.parametrize(("memory", "most"), [(0.0, 0.01), (0.5, 0.02), (0.95, 0.03), (1.0, 0.03)])
def test_noise_that_remembers_itself_rarely_drifts(memory: float, most: float) -> None:
    strong = [drift(TIME, value) > SETTINGS.drift_t_leak for value in walks(memory)]
    assert np.mean(strong) <= most


def test_a_random_walk_has_no_walk_drift() -> None:
    assert np.mean([walk(value) > SETTINGS.walk_t_unattributed for value in walks(1.0)]) <= 0.005


def test_correction_for_autocorrelation_widens_the_variance() -> None:
    plain, corrected = [], []
    for value in walks(0.9, 100):
        score, variance = mann_kendall(TIME, value, theil_sen(TIME, value))
        plain.append(40 * 39 * 85 / 18)
        corrected.append(variance)
        assert abs(score) <= 40 * 39 / 2
    assert np.mean(corrected) > 1.2 * np.mean(plain)


def test_a_step_carries_the_rise_and_a_line_does_not() -> None:
    step = np.where(TIME > 20, 100.0, 0.0) + 0.1 * TIME
    assert trend(TIME, step).largest_step > SETTINGS.step_share
    assert trend(TIME, 5.0 * TIME).largest_step < 0.1


def test_a_curve_towards_a_bound_is_told_from_a_line() -> None:
    generator = np.random.default_rng(3)
    line = 100 * TIME + generator.normal(0, 30, TIME.size)
    curve = 2000 * (1 - np.exp(-TIME / 20)) + generator.normal(0, 30, TIME.size)
    assert not shape(TIME, line).slows(SETTINGS.slowing_ratio, SETTINGS)
    found = shape(TIME, curve)
    assert found.slows(SETTINGS.slowing_ratio, SETTINGS)
    assert found.bound == pytest.approx(2000, rel=0.2)


def test_lines_in_noise_are_rarely_called_slowing() -> None:
    generator = np.random.default_rng(4)
    slowing = [
        shape(TIME, TIME + generator.normal(0, 2, TIME.size)).slows(SETTINGS.slowing_ratio, SETTINGS)
        for _ in range(200)
    ]
    assert np.mean(slowing) <= 0.03


def test_the_knee_of_a_late_rise_is_found() -> None:
    value = np.maximum(0, TIME - 25) * 10 + np.random.default_rng(5).normal(0, 1, TIME.size)
    assert abs(onset(TIME, value, SETTINGS) - 25) <= 2
    assert onset(TIME, 10 * TIME, SETTINGS) == 0


def test_floors_keep_every_minimum_of_an_hour() -> None:
    generator = np.random.default_rng(6)
    time, value = np.arange(3600.0), generator.uniform(0, 1, 3600)
    value[1234] = -5
    lows = floors(time, value, 1.0, SETTINGS)
    assert lows.time.size <= SETTINGS.target_windows + 1
    assert lows.value.min() == -5
    assert (np.diff(lows.time) > 0).all()


def test_forecasts_hold_what_comes_where_growth_changes_its_pace() -> None:
    """Growth as a random walk with drift, carried on until it meets the limit."""
    generator = np.random.default_rng(8)
    inside = 0
    for _ in range(200):
        steps = generator.normal(10.0, 20.0, 20 * TIME.size)
        value = np.cumsum(steps)
        seen = value[: TIME.size]
        found = forecast(Floors(TIME, seen, 1.0), 400.0, SETTINGS)
        if found is None:
            continue
        met = 1 + int(np.argmax(value[TIME.size :] >= seen[-1] + 400.0))
        inside += found.p10 <= met <= found.p90
    assert 140 <= inside <= 190


def test_a_steady_growth_is_forecast_narrowly() -> None:
    generator = np.random.default_rng(8)
    inside, widths = 0, []
    for _ in range(100):
        value = 10.0 * TIME + generator.normal(0, 15, TIME.size)
        found = forecast(Floors(TIME, value, 1.0), 1000.0 + 390 - value[-1], SETTINGS)
        assert found is not None
        inside += found.p10 <= 100.0 <= found.p90
        widths.append(found.p90 - found.p10)
    assert np.median(widths) < 20.0
    assert 65 <= inside <= 98


def test_a_forecast_is_the_same_every_time_and_absent_without_growth() -> None:
    value = 10.0 * TIME
    lows = Floors(TIME, value, 1.0)
    assert forecast(lows, 1000, SETTINGS) == forecast(lows, 1000, SETTINGS)
    assert forecast(Floors(TIME, -value, 1.0), 1000, SETTINGS) is None


def test_the_signs_of_steps_are_a_coins() -> None:
    assert signs(np.ones(18)) == pytest.approx(2.0**-18)
    assert signs(np.array([3.0, -1.0, 9.0, 0.0])) == pytest.approx(0.5)
    assert signs(-np.ones(5)) == 1.0
    assert signs(np.zeros(7)) == 1.0
    rare = sum(signs(np.diff(value)) < 1e-4 for value in walks(1.0))
    assert rare <= 1


def test_few_steps_of_all_sizes_are_certain_by_their_signs_alone() -> None:
    """A leak in bursts: t hears of one or two large ones, the sign test of none that went down."""
    steps = np.tile([0.0, 1.0], 20) * np.random.default_rng(3).lognormal(0, 1.4, 40)
    found = trend(TIME, np.cumsum(steps))
    assert found.drift_t < 4.5
    assert found.sign_chance < 1e-5
