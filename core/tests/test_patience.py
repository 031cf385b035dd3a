"""Who has time waits: what grows in a line for an hour and a half of 15-second ticks, and then ends, is no leak."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from memwarden_core.recording import FloatArray, Recording
from memwarden_core.replay import replay
from memwarden_core.scoring import score
from memwarden_core.settings import JudgeSettings, Sensitivity
from memwarden_core.shape import shape
from memwarden_core.synthetic import (
    MB,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    constant,
    first_in_first_out,
    for_ever,
    record,
)
from memwarden_core.verdict import Kind, Verdict

TICKS = 700
INTERVAL = 15.0
FAR = 2 * 2.0**30
"""A limit that all of these need half a day to and more."""
SETTINGS = JudgeSettings(bootstrap_rounds=10)
REQUESTS = SyntheticSite("handle", constant(2 * MB), after(0.6))


def kept(*sites: SyntheticSite, limit_bytes: float | None = FAR, seed: int = 1) -> Recording:
    process = SyntheticProcess([REQUESTS, *sites])
    return record(Shape([process], limit_bytes=limit_bytes), TICKS, seed, INTERVAL, profile_ticks=20)


def judged(recording: Recording, sensitivity: Sensitivity = Sensitivity.NORMAL) -> list[Verdict]:
    return list(replay(recording, every_ticks=10, settings=JudgeSettings.of(sensitivity)))


def called_after(verdicts: list[Verdict], recording: Recording) -> float | None:
    """Ticks to the first `Leaking`."""
    first = next((one for one in verdicts if one.kind is Kind.LEAKING), None)
    return None if first is None else (first.at - recording.started) / INTERVAL


@pytest.mark.parametrize("ticks", [200, 350])
def test_what_fills_for_an_hour_and_more_is_no_leak(ticks: int) -> None:
    """Eager, it is one until it is full: nothing but time tells."""
    cache = kept(SyntheticSite("fill", constant(0.5 * MB, 3), first_in_first_out(ticks)))
    usual = judged(cache)
    assert called_after(usual, cache) is None
    assert usual[-1].kind is Kind.HEALTHY
    assert called_after(judged(cache, Sensitivity.HIGH), cache) is not None


@pytest.mark.parametrize("limit_bytes", [FAR, None])
def test_what_never_ends_is_one_after_patience_and_a_fifth(limit_bytes: float | None) -> None:
    leak = kept(SyntheticSite("remember", constant(0.5 * MB, 3), for_ever), limit_bytes=limit_bytes)
    verdicts = judged(leak)
    needed = SETTINGS.patient_ticks * (1 + SETTINGS.confirm_share)
    assert called_after(verdicts, leak) == pytest.approx(needed, rel=0.1)
    waiting = next(one for one in verdicts if "judgements must agree on it for" in one.reason)
    gate = next(gate for gate in waiting.gates if gate.name == "confirmed")
    assert gate.threshold == pytest.approx(SETTINGS.confirm_share * SETTINGS.patient_ticks * INTERVAL)


def test_without_history_it_is_judged_so_much_earlier_instead() -> None:
    leak = kept(SyntheticSite("remember", constant(0.5 * MB, 3), for_ever))
    told = [
        next(replay(_until(leak, ticks), every_ticks=ticks, settings=SETTINGS)).kind for ticks in (390, 460)
    ]
    assert told == [Kind.GROWING, Kind.LEAKING]


def _until(recording: Recording, ticks: int) -> Recording:
    return replace(recording, ended=recording.started + ticks * INTERVAL)


def bursts(tick: FloatArray) -> FloatArray:
    """Nothing for nineteen ticks, then some, of very different sizes."""
    sizes = np.random.default_rng(2).pareto(1.2, TICKS + 1).clip(0.5, 6) * 20 / 3
    return np.where(tick % 20 == 0, sizes[tick.astype(int)] * MB, 0.0)


def test_c_memory_that_grew_for_very_long_needs_no_more_certainty_than_a_site() -> None:
    leak = kept(SyntheticSite("native", bursts, for_ever, sampled=False))
    without = replay(leak, every_ticks=10, settings=replace(SETTINGS, long_ticks=10 * TICKS))
    assert called_after(list(without), leak) is None
    after_long = called_after(judged(leak), leak)
    assert after_long is not None
    assert after_long > SETTINGS.long_ticks


def ever_more_known(power: float) -> Callable[[FloatArray], FloatArray]:
    """New keys by Heaps' law: as many as the power of the time, more slowly for ever and towards no bound."""
    return lambda tick: 1.2 * MB * power * np.maximum(tick, 3.0) ** (power - 1)


def test_keys_that_come_again_ever_more_often_are_no_bound() -> None:
    store = kept(SyntheticSite("remember", ever_more_known(0.8), for_ever))
    verdicts = judged(store)
    assert verdicts[-1].kind is Kind.LEAKING, verdicts[-1].reason
    gate = next(gate for gate in verdicts[-1].gates if gate.name == "not-slowing")
    assert gate.threshold == SETTINGS.long_slowing_ratio


def test_a_store_with_a_bound_slows_by_more_than_that() -> None:
    cache = kept(SyntheticSite("fill", constant(0.8 * MB, 3), after(400)))
    assert called_after(judged(cache), cache) is None
    without = replace(SETTINGS, long_slowing_ratio=0.0)
    assert called_after(list(replay(cache, every_ticks=10, settings=without)), cache) is not None


@pytest.mark.parametrize("family", ["random-walk", "wandering-0.95", "fragmenting"])
def test_memory_that_wanders_for_long_is_no_leak_without_a_site_either(family: str) -> None:
    found = score(family, range(3), INTERVAL, every_ticks=10, settings=SETTINGS, ticks=TICKS)
    assert found.convicted == 0


def test_a_ratio_of_its_own_can_be_asked_for() -> None:
    time = np.arange(0.0, 40.0)
    curve = 2000 * (1 - np.exp(-time / 70)) + np.random.default_rng(3).normal(0, 3, time.size)
    found = shape(time, curve)
    assert found.slows(SETTINGS.slowing_ratio, SETTINGS)
    assert not found.slows(SETTINGS.long_slowing_ratio, SETTINGS)
