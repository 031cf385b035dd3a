"""Reports made by hand, with names as hostile as programs can have them."""

from datetime import UTC, datetime
from typing import Any

from memwarden_api.report import Cost, FailCondition, Frame, Report, Site, Verdict

HOSTILE = "\x00\x1b[2J\x0b]]>\n<script>&'\"\ud800\ufffe\u202e" + "x" * 10_000


def verdict(
    kind: str = "Leaking", scope: str = "s", text: str = "python app.py", sites: tuple[Site, ...] = ()
) -> Verdict:
    made: dict[str, Any] = {
        "scope": scope, "command": text, "headline": f"{kind}: {text}", "processes": (), "verdict": kind,
        "reason": text, "at_risk": False, "confidence": 0.9, "limit": None, "anon_bytes": 1, "since": None,
        "growth_bytes_per_second": 1.0, "oom_forecast_seconds": None, "cause": text, "types": (), "advice": (),
        "sites": sites, "gates": (), "history": (),
    }  # fmt: skip
    safe = Verdict.model_validate(
        made | {"scope": "s", "command": "", "headline": "", "reason": "", "cause": "", "sites": ()}
    )
    names = ("scope", "command", "headline", "reason", "cause", "sites")
    return safe.model_copy(update={name: made[name] for name in names})  # pydantic refuses lone surrogates


def site(file: str = "/srv/shop/app.py", line: int = 7, **changes: Any) -> Site:
    usual: dict[str, Any] = {
        "file": file, "line": line, "function": "handle", "pid": 1, "live_bytes": 5_000_000, "samples": 40,
        "growth_bytes_per_second": 9e4, "growth_share": 0.9, "stack": (),
    }  # fmt: skip
    stack = (
        Frame(file="app.py", line=7, function="handle"),
        Frame(file="<string>", line=0, function="<module>"),
    )
    safe = Site.model_validate(usual | {"file": "", "function": ""})
    return safe.model_copy(update={**usual, "stack": stack} | changes)


def condition(met: bool | None, scope: str = "s") -> FailCondition:
    return FailCondition(condition="leak", scope=scope, met=met, text="the verdict is so")


def report(*verdicts: Verdict, conditions: tuple[FailCondition, ...] = ()) -> Report:
    return Report(
        schema="memwarden.dev/report/v1",
        memwarden_version="0.1.0",
        started_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
        ended_at=datetime(2026, 11, 21, 12, 1, 40, tzinfo=UTC),
        exit_code=0,
        app_exit_code=0,
        interval_seconds=1.0,
        verdicts=verdicts,
        cost=Cost(components=(), cpu_ratio=None, start_to_first_sample_seconds=None),
        fail_conditions=conditions,
    )
