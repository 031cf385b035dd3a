"""Times and sizes as people type them."""

import pytest

from memwarden.errors import Usage
from memwarden.quantities import clock, duration, short_size, size


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("1s", 1), ("2m", 120), ("1.5h", 5400), ("30", 30)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text, "--interval") == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("512MiB", 512 << 20), ("1GB", 10**9), ("300Mi", 300 << 20), ("1.5 kB", 1500), ("7", 7)],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert size(text, "--memory-limit") == size_bytes


@pytest.mark.parametrize("text", ["", "fast", "-1s", "0s", "1d", "1e3s", "nan"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(Usage, match="--interval"):
        duration(text, "--interval")


@pytest.mark.parametrize("text", ["", "big", "-1", "0", "1G", "1g", "512Mb"])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(Usage, match="--memory-limit"):
        size(text, "--memory-limit")


def test_numbers_are_short() -> None:
    assert [short_size(value) for value in (0, 999, 84_000_000, 1_230_000_000, -31e6)] == [
        "0 B", "999 B", "84 MB", "1.2 GB", "-31 MB",
    ]  # fmt: skip
    assert [clock(value) for value in (42.9, 3800)] == ["00:42", "1:03:20"]
