"""Numbers as people read them."""

import pytest

from memwarden_core.recording import MemoryLimit
from memwarden_core.wording import (
    amount,
    bound_words,
    clock,
    duration,
    duration_range,
    limit_name,
    limit_size,
    rate,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (48e6, "48 MB"), (1.3e9, "1.3 GB"), (-2.5e6, "-2.5 MB"),
     (999_950, "1 MB"), (9.96e6, "10 MB")],
)  # fmt: skip
def test_amounts_are_decimal(size: float, text: str) -> None:
    assert amount(size) == text


def test_limits_are_binary_where_they_are_round() -> None:
    assert limit_size(512 * 2**20) == "512 MiB"
    assert limit_size(2 * 2**30) == "2 GiB"
    assert limit_size(500e6) == "500 MB"
    assert limit_name(MemoryLimit(512 * 2**20, "option")) == "512 MiB limit"


def test_rates_choose_the_unit_that_is_grasped() -> None:
    assert rate(31e6 / 60) == "+31 MB/min"
    assert rate(-5e6 / 60) == "-5 MB/min"
    assert rate(1000) == "+3.6 MB/h"
    assert rate(10) == "+864 kB/day"


def test_durations_have_one_unit() -> None:
    assert [duration(x) for x in (3, 80, 840, 6 * 3600, 9 * 86400)] == [
        "3 s",
        "80 s",
        "14 min",
        "6 h",
        "9 days",
    ]
    assert duration_range(14 * 60, 17 * 60) == "14–17 min"
    assert duration_range(100, 300) == "100 s – 5 min"
    assert duration_range(840, 850) == "14 min"


def test_moments_are_utc_unless_told_otherwise() -> None:
    assert clock(1_800_000_000) == "08:00:00"
    assert clock(1_800_000_000, 3600) == "09:00:00"


def test_a_bound_says_what_it_counts() -> None:
    assert bound_words(4000, None, None) == "4,000"
    assert bound_words(None, 12e6, None) == "12 MB"
    assert bound_words(None, None, 30.0) == "30 s"
    assert bound_words(None, None, None) == "none"
