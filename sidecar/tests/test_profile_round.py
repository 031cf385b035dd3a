"""Rounds of profiles: in slices, within their share of a core, and complete at the end."""

import pytest

from memwarden_sidecar.notices import Notices
from memwarden_sidecar.profile_round import ProfileRound


class Work:
    """Each profile takes `cost` seconds of a clock that only work moves."""

    def __init__(self, cost: float) -> None:
        self.now = 0.0
        self.cost = cost
        self.sent: list[int] = []
        self.notices = Notices()
        self.round = ProfileRound(self.send, lambda: self.now, lambda: self.now, self.notices)

    def send(self, number) -> None:
        self.now += self.cost
        self.sent.append(number)
        if number == 13:
            raise ValueError("unlucky")


def test_a_round_is_made_in_slices():
    work = Work(0.04)
    work.round.begin(range(5))
    work.round.go_on(0.1)
    assert work.sent == [0, 1, 2]
    assert work.round.is_open
    work.round.go_on(0.1)
    assert work.sent == [0, 1, 2, 3, 4]
    assert not work.round.is_open


def test_a_round_that_is_due_too_early_falls_out():
    work = Work(0.5)
    work.round.begin([1, 2])
    work.round.begin([3])
    work.round.go_on(10)
    work.now += 14
    work.round.go_on(10)
    work.round.begin([4])
    assert not work.round.is_open
    assert work.notices.counts["profile-rounds-skipped"] == 2
    work.now += 6
    work.round.begin([5])
    work.round.go_on(10)
    assert work.sent == [1, 2, 5]


def test_the_last_round_is_always_made_within_its_time():
    work = Work(0.4)
    work.round.begin([1])
    work.round.go_on(1)
    work.round.begin(range(100), last=True)
    work.round.go_on(1.0)
    assert work.sent == [1, 0, 1, 2]


def test_one_that_fails_does_not_keep_the_others_from_theirs():
    work = Work(0.01)
    work.round.begin([13, 14])
    with pytest.raises(ValueError, match="unlucky"):
        work.round.go_on(1)
    work.round.go_on(1)
    assert work.sent == [13, 14]
