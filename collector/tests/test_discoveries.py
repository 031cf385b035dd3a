"""How certain a leak must be among all scopes that are watched."""

import pytest

from memwarden_collector.analysis.discoveries import Discoveries


def test_a_single_scope_is_asked_no_more() -> None:
    found = Discoveries(0.05)
    assert found.allowed("a") == 1.0
    found.note("a", 1e-3)
    assert found.allowed("a") == 1.0


def test_the_more_are_watched_the_more_is_asked_of_the_first() -> None:
    found = Discoveries(0.05)
    for number in range(999):
        found.note(str(number), 0.5)
    assert found.allowed("new") == pytest.approx(5e-5)


def test_many_that_leak_make_room_for_each_other() -> None:
    found = Discoveries(0.05)
    for number in range(1000):
        found.note(str(number), 1e-4 if number < 100 else 0.5)
    assert found.allowed("0") == pytest.approx(1e-4)


def test_what_is_gone_is_forgotten() -> None:
    found = Discoveries(0.05)
    for number in range(1000):
        found.note(str(number), 0.5)
    found.forget_but({"1"})
    assert found.allowed("1") == 1.0
