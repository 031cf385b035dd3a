"""What makes a run fail, as people say it and as it is checked; with the report that says so."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from memwarden.errors import Usage
from memwarden.report.conditions import check, unchecked, why
from memwarden.run.conditions import conditions, rate
from memwarden_api.report import Report, Verdict

MINUTE = 60
# By the clock: one that only sleeps slows down on a busy machine, and what slows down looks like a cache that fills.
STEADY = """
import time
began, kept = time.monotonic(), []
while True:
    while len(kept) < 50 * (time.monotonic() - began):
        kept.append(bytearray(100_000))
    time.sleep(0.02)
"""


def verdict(**changes: Any) -> Verdict:
    usual: dict[str, Any] = {
        "scope": "s", "command": "python app.py", "headline": "h", "processes": (), "verdict": "Leaking", "reason": "r",
        "at_risk": False, "confidence": 0.9, "limit": {"bytes": 1 << 29, "source": "option"}, "anon_bytes": 1,
        "since": None, "growth_bytes_per_second": 2 * (1 << 20) / MINUTE,
        "growth_interval_bytes_per_second": (1.0, 1e6), "oom_forecast_seconds": {"p10": 400, "p50": 500, "p90": 900},
        "cause": "", "sites": (), "types": (), "advice": (), "gates": (), "history": (),
    }  # fmt: skip
    return Verdict.model_validate(usual | changes)


def met(fail_on: str, max_growth: str | None = None, **changes: Any) -> bool | None:
    [checked] = check(conditions((fail_on,) if fail_on else (), max_growth), [verdict(**changes)])
    return checked.met


def test_lists_and_repeated_options_are_the_same() -> None:
    assert conditions(("leak,oom-within=10m", "growing"), None) == conditions(
        ("leak", "oom-within=10m , growing"), None
    )
    assert len(conditions(("leak,leak", "leak"), None)) == 1


@pytest.mark.parametrize(
    "words",
    [
        "",
        "growth",
        "leak,",
        "leak=1",
        "oom-within",
        "oom-within=",
        "oom-within=soon",
        "oom-within=0s",
        "Leak",
    ],
)
def test_what_is_not_known_is_refused(words: str) -> None:
    with pytest.raises(Usage, match="--fail-on"):
        conditions((words,), None)


@pytest.mark.parametrize(
    "text", ["1MiB", "1MiB/", "/min", "1MiB/m", "fast/min", "1M/min", "0B/min", "-1MiB/min"]
)
def test_what_is_no_growth_is_refused(text: str) -> None:
    with pytest.raises(Usage, match="--max-growth"):
        conditions((), text)


def test_growth_is_bytes_a_second() -> None:
    assert rate("1MiB/min", "--max-growth") == (1 << 20) / MINUTE
    assert rate("500 kB / h", "--max-growth") == 500_000 / 3600
    assert rate("1GB/day", "--max-growth") == 1e9 / 86400


@pytest.mark.parametrize(
    ("kind", "leak", "growing"),
    [
        ("Leaking", True, True),
        ("Growing", False, True),
        ("CacheFilling", False, False),
        ("Healthy", False, False),
        ("WarmingUp", None, None),
        ("Unknown", None, None),
    ],
)
def test_the_verdict_decides(kind: str, leak: bool | None, growing: bool | None) -> None:
    assert met("leak", verdict=kind) is leak
    assert met("growing", verdict=kind) is growing


def test_the_median_of_the_forecast_decides() -> None:
    assert met("oom-within=10m") is True
    assert met("oom-within=8m") is False
    assert met("oom-within=10m", oom_forecast_seconds=None) is False
    assert met("oom-within=10m", limit=None) is None


def test_growth_above_the_budget() -> None:
    assert met("", "1MiB/min") is True
    assert met("", "3MiB/min") is False
    assert met("", "1MiB/min", growth_interval_bytes_per_second=(-5.0, 1e6)) is False, "may be none at all"
    assert met("", "1MiB/min", growth_bytes_per_second=None) is None
    assert met("", "1MiB/min", verdict="WarmingUp") is None


def test_the_sentences() -> None:
    asked = conditions(("leak,oom-within=1m",), "1MiB/min")
    checked = check(asked, [verdict()])
    assert why(checked) == (
        "the verdict is Leaking (--fail-on leak); the memory grows by +2.1 MB/min (--max-growth 1MiB/min)"
    )
    assert unchecked(checked) == ""
    early = check(asked, [verdict(verdict="WarmingUp", reason="too young")])
    assert why(early) == ""
    assert unchecked(early).startswith("Not checked: leak, oom-within=1m, max-growth=1MiB/min; ")
    assert "too young" in unchecked(early)


def test_a_report_of_before_is_still_read() -> None:
    """Version 1 was written without conditions; they are added with a default."""
    assert Report.model_fields["fail_conditions"].default == ()


def test_an_end_before_the_first_answer_is_told_and_does_not_fail(clean: Any, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    words = ("--fail-on", "leak,growing", "--max-growth", "1MiB/min", "--report", str(file))
    result = clean.memwarden("run", *words, "--", "true")
    assert result.code == 0, result.err
    assert "Not checked: leak, growing, max-growth=1MiB/min" in result.err
    made = Report.model_validate_json(file.read_text())
    assert [item.met for item in made.fail_conditions] == [None, None, None]


@pytest.mark.slow
def test_a_run_that_grows_fails_with_86_says_why_and_still_writes_its_reports(
    clean: Any, tmp_path: Path
) -> None:
    app = tmp_path / "app.py"
    app.write_text(STEADY)
    files = [tmp_path / name for name in ("r.json", "r.xml", "r.sarif")]
    words = [word for file in files for word in ("--report", str(file))]
    asked = ("--fail-on", "growing", "--max-growth", "1MiB/min", "--interval", "100ms", "--duration", "30s")
    result = clean.memwarden("run", *asked, *words, "--quiet", "--", sys.executable, str(app))
    assert result.code == 86, result.err
    assert re.fullmatch(
        r"memwarden: exit code 86: the verdict is (Growing|Leaking) \(--fail-on growing\); "
        r"the memory grows by \+.*MB/min \(--max-growth 1MiB/min\)\n",
        result.err,
    )
    made = Report.model_validate_json(files[0].read_text())
    assert (made.exit_code, [item.met for item in made.fail_conditions]) == (86, [True, True])
    assert "<failure " in files[1].read_text()
    [run] = json.loads(files[2].read_text())["runs"]
    assert run["invocations"][0]["exitCode"] == 86
