"""Exit codes."""

from typing import Any

import pytest

from memwarden.run.outcome import Outcome


def outcome(code: int, **changes: Any) -> int:
    usual: dict[str, Any] = {
        "ended_by_duration": False, "condition_met": False, "all_honoured": True,
    }  # fmt: skip
    return Outcome(code, **(usual | changes)).exit_code


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (255, 255), (-15, 143), (-9, 137)])
def test_the_apps_own_code(code: int, expected: int) -> None:
    assert outcome(code) == expected


def test_a_condition_counts_only_when_the_app_ended_well() -> None:
    assert outcome(0, condition_met=True) == 86
    assert outcome(3, condition_met=True) == 3
    assert outcome(-15, condition_met=True) == 143
    assert outcome(-15, condition_met=True, ended_by_duration=True) == 86


def test_an_app_ended_by_duration_ended_well() -> None:
    assert outcome(-15, ended_by_duration=True) == 0
    assert outcome(-9, ended_by_duration=True) == 0
    assert outcome(1, ended_by_duration=True) == 0


def test_what_could_not_be_done_is_told_unless_the_app_failed() -> None:
    assert outcome(0, all_honoured=False) == 125
    assert outcome(4, all_honoured=False) == 4
    assert outcome(0, all_honoured=False, condition_met=True) == 86
