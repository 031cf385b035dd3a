"""Exit codes."""

from typing import Any

import pytest

from memwarden.run.outcome import Outcome


def outcome(code: int, **changes: Any) -> int:
    usual: dict[str, Any] = {
        "ended_by_duration": False, "fail_on_leak": False, "verdict": "Healthy", "all_honoured": True,
    }  # fmt: skip
    return Outcome(code, **(usual | changes)).exit_code


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (255, 255), (-15, 143), (-9, 137)])
def test_the_apps_own_code(code: int, expected: int) -> None:
    assert outcome(code) == expected


def test_a_leak_counts_only_when_asked_for_and_the_app_ended_well() -> None:
    assert outcome(0, verdict="Leaking") == 0
    assert outcome(0, verdict="Leaking", fail_on_leak=True) == 86
    assert outcome(3, verdict="Leaking", fail_on_leak=True) == 3
    assert outcome(-15, verdict="Leaking", fail_on_leak=True, ended_by_duration=True) == 86
    assert outcome(0, verdict="Growing", fail_on_leak=True) == 0


def test_an_app_ended_by_duration_ended_well() -> None:
    assert outcome(-15, ended_by_duration=True) == 0
    assert outcome(-9, ended_by_duration=True) == 0
    assert outcome(1, ended_by_duration=True) == 0


def test_what_could_not_be_done_is_told_unless_the_app_failed() -> None:
    assert outcome(0, all_honoured=False, verdict=None) == 125
    assert outcome(4, all_honoured=False, verdict=None) == 4
    assert outcome(0, all_honoured=False, verdict="Leaking", fail_on_leak=True) == 86
