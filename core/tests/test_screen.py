"""The screen loses no leak; what it leaves out the judge would not have convicted."""

import numpy as np
import pytest
from eager import judge

from memwarden_core.families import FAMILIES
from memwarden_core.recording import FloatArray, Recording
from memwarden_core.screen import screen
from memwarden_core.settings import JudgeSettings
from memwarden_core.signals import scope_memory
from memwarden_core.synthetic import record
from memwarden_core.verdict import Kind

SETTINGS = JudgeSettings()


def test_what_has_been_as_high_before_is_no_growth() -> None:
    rising = 1e8 + 1e6 * np.arange(64)[None, :]
    assert screen(rising, SETTINGS).suspect.all()
    assert screen(rising, SETTINGS, np.array([np.nan])).suspect.all()
    assert screen(rising, SETTINGS, np.array([1e8])).suspect.all()
    assert not screen(rising, SETTINGS, np.array([2e8])).suspect.any()


def memory_of(recording: Recording, until: float) -> FloatArray:
    seen = scope_memory(recording, until)
    return seen.value


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_what_the_judge_convicts_the_screen_passes_on(name: str) -> None:
    family = next(one for one in FAMILIES if one.name == name)
    for seed in range(3):
        recording = record(family.shape(np.random.default_rng(seed + 1000)), family.ticks, seed)
        for share in (0.5, 0.75, 1.0):
            now = recording.started + share * (recording.ended - recording.started)
            if judge(recording, now=now).kind is Kind.LEAKING:
                assert screen(memory_of(recording, now)[None, :], SETTINGS).suspect[0]


def test_most_healthy_containers_are_left_out() -> None:
    generator = np.random.default_rng(5)
    noise = generator.normal(0, 1e6, (1000, 672))
    level = generator.uniform(50e6, 2e9, (1000, 1))
    found = screen(level + noise, SETTINGS)
    assert found.suspect.mean() < 0.02


def test_days_are_not_suspect_because_mornings_rise() -> None:
    generator = np.random.default_rng(6)
    tick = np.arange(7 * 288)
    phase = generator.uniform(0, 1, (500, 1))
    days = (
        300e6 + 50e6 * np.sin(2 * np.pi * (tick / 288 + phase)) + generator.normal(0, 2e6, (500, tick.size))
    )
    assert screen(days, SETTINGS).suspect.mean() < 0.1


def test_gaps_late_starts_and_nothing_at_all() -> None:
    memory = np.full((5, 400), 100e6)
    memory[0] += np.linspace(0, 80e6, 400)
    memory[1, :300] = np.nan  # young
    memory[1, 300:] += np.linspace(0, 40e6, 100)
    memory[2, ::2] = np.nan
    memory[2] += np.linspace(0, 80e6, 400)
    memory[3] = np.nan
    found = screen(memory, SETTINGS)
    assert found.suspect.tolist() == [True, True, True, False, False]
    assert np.isnan(found.score[3])
    assert found.gain[0] > 5e6


def test_too_few_intervals() -> None:
    assert screen(np.ones((3, 4)), SETTINGS).suspect.tolist() == [False] * 3
    assert screen(np.ones((0, 100)), SETTINGS).suspect.size == 0
