"""When finer samples are asked for, and how fine."""

import numpy as np
import pytest

from memwarden_sidecar.probes.suspicion import FINEST, WINDOW_TICKS, WINDOWS, Suspicion

USUAL = 512 * 1024
MB = 1e6
LONG = 4 * WINDOW_TICKS * WINDOWS


def wishes(live, usual=USUAL):
    """What is asked for, tick by tick, of a probe that obeys."""
    suspicion, now, asked = Suspicion(usual), usual or USUAL, []
    for value in live:
        wanted = suspicion.wish(float(value), now)
        if wanted is not None:
            now = wanted
            asked.append(wanted)
    return asked


@pytest.mark.parametrize(
    ("per_tick", "expected"),
    [
        (1_000, []),  # 60 kB in all windows: any heap does that
        (25_000, [FINEST]),
        (600_000, [USUAL // 2]),  # 24 MB between the outer thirds: 91 samples at 256 KiB
        (2_000_000, []),  # seen well enough
    ],
)
def test_a_line_is_sampled_as_fine_as_it_needs(per_tick, expected):
    assert wishes(20 * MB + per_tick * np.arange(WINDOW_TICKS * WINDOWS)) == expected


@pytest.mark.parametrize(
    "live",
    [
        np.full(LONG, 30 * MB),
        30 * MB + 10 * MB * (np.arange(LONG) % 7),  # requests come and go
        30 * MB - 20_000 * np.arange(LONG),
        30 * MB + np.where(np.arange(LONG) > 70, 20 * MB, 0),  # a step, once
        np.random.default_rng(1).normal(30 * MB, 3 * MB, LONG),
        np.full(LONG, np.nan),
    ],
)
def test_what_does_not_rise_all_the_time_is_left_alone(live):
    assert wishes(live) == []


def test_it_goes_back_when_the_rise_ends():
    rising = 20 * MB + 25_000 * np.arange(LONG)
    assert wishes([*rising, *np.full(LONG, rising[-1])]) == [FINEST, USUAL]


def test_what_the_probe_began_with_is_the_usual():
    rising = 20 * MB + 25_000 * np.arange(LONG)
    suspicion = Suspicion(None)
    asked = [suspicion.wish(float(value), FINEST // 2) for value in rising]
    assert set(asked) == {None}  # it is finer already than what suspicion asks for
