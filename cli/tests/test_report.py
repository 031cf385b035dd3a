"""The report: whole without a verdict, readable with one, its schema current."""

import json
from pathlib import Path
from typing import Any

import pytest

from memwarden.report.build import Seen, build
from memwarden.report.formats import FORMATS, Format
from memwarden.run.cost import Usage
from memwarden.terminal.summary import lines
from memwarden_api.report import Report

VERDICT: dict[str, Any] = {
    "scope": "s", "command": "python app.py", "headline": "LEAKING: 31 MB/min at app.py:7", "processes": [
        {"pid": 7, "command": "python <b>app</b>.py", "runtime": "cpython 3.11.7", "probe": "hooked",
         "anon_bytes": 84_000_000, "started_at": "2026-11-21T12:00:00Z",
         "caches": [
             {"id": "1", "kind": "lru_cache", "name": "price|<i>", "file": "shop.py", "line": 31, "entries": 900,
              "bound": 1000, "hit_rate": 0.75, "growth_entries": 800},
             {"id": "2", "kind": "queue.Queue", "name": "", "file": "", "line": 0, "entries": 40, "bound": None,
              "hit_rate": None, "growth_entries": 0},
         ],
         "containers": [
             {"id": "3", "type": "builtins.dict", "name": "shop.ORDERS", "entries": 5000, "growth_entries": 4700},
         ]},
        {"pid": 8, "command": "sh", "runtime": "", "probe": "outside", "probe_reason": "not a Python program",
         "anon_bytes": None, "started_at": "2026-11-21T12:00:00Z"},
    ], "verdict": "Leaking", "reason": "floors rise", "at_risk": True, "confidence": 0.97,
    "limit": {"bytes": 536870912, "source": "option"}, "anon_bytes": 84_000_000, "since": "2026-11-21T12:01:00Z",
    "growth_bytes_per_second": 516_000.0, "growth_interval_bytes_per_second": [500_000.0, 530_000.0],
    "oom_forecast_seconds": {"p10": 800, "p50": 850, "p90": 900}, "cause": "kept in a list", "fingerprint": "f",
    "sites": [
        {"file": f"app{n}.py", "line": n, "function": "handle|\\x1b[2J", "pid": 7, "live_bytes": 60_000_000,
         "growth_bytes_per_second": 500_000.0, "growth_share": 0.94, "samples": 120,
         "stack": [{"file": "app.py", "line": 7, "function": "handle"}]} for n in range(1, 6)
    ],
    "types": [{"name": "dict", "pid": 7, "count": 1000, "bytes": 64000, "growth_count_per_second": 2.0}],
    "advice": [{"text": "bound the list", "bytes_at_stake": 60_000_000}],
    "gates": [{"name": "trend", "passed": True, "value": 0.001, "threshold": 0.01, "unit": "", "text": "rises"}],
    "history": [],
}  # fmt: skip


def of_suffix(suffix: str) -> Format:
    (found,) = [one for one in FORMATS if one.suffix == suffix]
    return found


def report(verdict: dict[str, Any] | None, **changes: Any) -> Report:
    usual: dict[str, Any] = {
        "command": ("python", "app.py"), "scope": "s", "interval_seconds": 1.0, "started_at": 1000.0,
        "ended_at": 1100.0, "exit_code": 0, "app_exit_code": 0, "usage": {"sidecar": Usage(1.5, 30_000_000)},
        "verdict": verdict,
    }  # fmt: skip
    return build(Seen(**(usual | changes)))


def test_without_a_verdict_there_is_a_whole_report() -> None:
    made = report(None, unknown_because="the collector is gone")
    assert made.verdicts[0].verdict == "Unknown"
    assert "the collector is gone" in made.verdicts[0].headline
    for format_ in FORMATS:
        assert "the collector is gone" in format_.render(made)


def test_json_can_be_read_back() -> None:
    made = report(VERDICT)
    text = of_suffix(".json").render(made)
    assert Report.model_validate_json(text) == made
    assert json.loads(text)["schema"] == "memwarden.dev/report/v1"


def test_markdown_says_it_all_and_escapes_what_the_app_says() -> None:
    page = of_suffix(".md").render(report(VERDICT))
    for part in (
        "LEAKING",
        "app1.py:1",
        "94 %",
        "bound the list",
        "not a Python program",
        "dict",
        "trend",
        "1.50 s",
        "| `price\\|<i>` `shop.py:31` | `lru_cache` | 7 | 900 | 1,000 | 75 % | +800 |",
        "|  | `queue.Queue` | 7 | 40 | none |  | +0 |",
        "| `shop.ORDERS` | `builtins.dict` | 7 | 5,000 | +4,700 |",
    ):
        assert part in page
    assert "handle|" not in page, "a bar would end the cell of the table"
    without = VERDICT | {"processes": VERDICT["processes"][1:]}
    assert "### Caches" not in of_suffix(".md").render(report(without))
    assert "### Large containers" not in of_suffix(".md").render(report(without))
    assert "<b>" not in page.replace("`python <b>app</b>.py`", "")


def test_the_cost_adds_up() -> None:
    made = report(
        VERDICT,
        probe_cpu=[{"times": [1.0, 2.0], "values": [0.1, 0.5]}, {"times": [1.0], "values": [1.0]}],
        memory=[{"times": [1000.4, 1001.4], "values": [1, 2]}],
    )
    assert {part.name: part.cpu_seconds for part in made.cost.components} == {"sidecar": 1.5, "probe": 1.5}
    assert made.cost.cpu_ratio == pytest.approx(0.03)
    assert made.cost.start_to_first_sample_seconds == pytest.approx(0.4)


def test_the_summary_is_short_and_can_not_steer_the_terminal() -> None:
    said = list(lines(report(VERDICT), [Path("/r.md")]))
    assert said[0] == "memwarden: LEAKING: 31 MB/min at app.py:7"
    assert sum("of the growth" in line for line in said) == 3
    assert any("bound the list" in line for line in said)
    assert any("/r.md" in line for line in said)
    assert "cost of watching: 1.5 s CPU" in said[-1]
    assert all(line.isprintable() for line in said)
