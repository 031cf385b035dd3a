"""Sample times and ticks: what a jumping clock and a slow tick do to them."""

from itertools import pairwise

import pytest

from memwarden_sidecar.clock import Clock
from memwarden_sidecar.schedule import Grid, census_interval


class Hands:
    """The two clocks of a machine, moved by hand."""

    def __init__(self) -> None:
        self.elapsed = 100.0
        self.wall = 1_700_000_000.0

    def clock(self) -> Clock:
        return Clock(lambda: self.elapsed, lambda: self.wall)


@pytest.mark.parametrize("jump", [-86400.0, 3600.0])
def test_a_jump_of_the_wall_clock_does_not_disturb_sample_times(jump):
    hands = Hands()
    clock = hands.clock()
    times = []
    for step in range(6):
        hands.elapsed += 1
        hands.wall += 1
        if step == 3:
            hands.wall += jump
        times.append(clock.now())
    assert [later - earlier for earlier, later in pairwise(times)] == [1.0] * 5
    assert clock.jump() == pytest.approx(jump)


def test_moments_of_the_elapsed_clock_translate_to_unix_seconds():
    hands = Hands()
    assert hands.clock().of_elapsed(40.0) == hands.wall - 60


def test_a_slow_tick_skips_moments_and_stays_on_the_grid():
    grid = Grid(10.0, 2.0)
    assert grid.is_due(10.0)
    grid.advance(10.1)
    assert (grid.next_due, grid.skipped) == (12.0, 0)
    assert grid.wait(11.5) == 0.5
    grid.advance(19.0)
    assert (grid.next_due, grid.skipped) == (20.0, 3)
    assert not grid.is_due(19.9)


def test_a_tick_that_ends_exactly_at_the_next_moment_does_not_repeat_it():
    grid = Grid(0.0, 1.0)
    grid.advance(1.0)
    assert grid.next_due == 2.0


def test_a_census_is_rare():
    assert census_interval(0.1) == 5
    assert census_interval(1) == 20
    assert census_interval(15) == 300
