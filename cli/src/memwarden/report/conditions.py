"""Whether what a run must not do was done: the conditions of --fail-on and --max-growth against its verdicts."""

from collections.abc import Iterable, Sequence
from typing import Final

from memwarden.run.conditions import Condition
from memwarden_api.names import EXIT_LEAK
from memwarden_api.report import FailCondition, Report, Verdict
from memwarden_core.wording import duration, rate

_UNDECIDED: Final = ("WarmingUp", "Unknown")
_GROWING: Final = ("Growing", "Leaking")


def check(conditions: Sequence[Condition], verdicts: Sequence[Verdict]) -> tuple[FailCondition, ...]:
    """One entry for each scope and condition, in the order of the options."""
    return tuple(_check(condition, verdict) for verdict in verdicts for condition in conditions)


def answered(report: Report, conditions: Sequence[Condition]) -> tuple[Report, str]:
    """A report made afterwards with the answers in it and the exit code that follows, and why it is not 0."""
    checked = check(conditions, report.verdicts)
    because, left = why(checked), unchecked(checked)
    changes = {
        "fail_conditions": checked,
        "exit_code": EXIT_LEAK if because else report.exit_code,
        "notes": (*report.notes, *filter(None, [left])),
    }
    return report.model_copy(update=changes), because


def why(checked: Iterable[FailCondition]) -> str:
    """One sentence on the conditions that are met; "" where none is."""
    return "; ".join(
        dict.fromkeys(f"{item.text} ({_option(item.condition)})" for item in checked if item.met)
    )


def unchecked(checked: Iterable[FailCondition]) -> str:
    """One sentence on those that could not be checked; "" where all could."""
    left = [item for item in checked if item.met is None]
    names = ", ".join(dict.fromkeys(item.condition for item in left))
    return f"Not checked: {names}; {left[0].text}." if left else ""


def _option(condition: str) -> str:
    name, _, value = condition.partition("=")
    return f"--max-growth {value}" if name == "max-growth" else f"--fail-on {condition}"


def _check(condition: Condition, verdict: Verdict) -> FailCondition:
    met, text = _answer(condition, verdict)
    return FailCondition(condition=condition.text, scope=verdict.scope, met=met, text=text)


def _answer(condition: Condition, verdict: Verdict) -> tuple[bool | None, str]:
    if verdict.verdict in _UNDECIDED:
        return None, f"there is no answer yet, the verdict is {verdict.verdict} ({verdict.reason})"
    match condition.kind:
        case "leak":
            return verdict.verdict == "Leaking", f"the verdict is {verdict.verdict}"
        case "growing":
            return verdict.verdict in _GROWING, f"the verdict is {verdict.verdict}"
        case "oom-within":
            return _meets_limit(verdict, condition.bound)
        case "max-growth":
            return _exceeds(verdict, condition)


def _meets_limit(verdict: Verdict, within_seconds: float) -> tuple[bool | None, str]:
    """By the median of the forecast: more likely than not."""
    if verdict.limit is None:
        return None, "no limit of the memory is known (--memory-limit gives one)"
    forecast = verdict.oom_forecast_seconds
    if forecast is None:
        return False, f"the verdict is {verdict.verdict}, no growth that would meet the limit"
    return forecast.p50 <= within_seconds, f"the limit is forecast to be met in {duration(forecast.p50)}"


def _exceeds(verdict: Verdict, condition: Condition) -> tuple[bool | None, str]:
    """Growth that can't be told from standing still (its 95 % interval holds zero) exceeds nothing."""
    growth, interval = verdict.growth_bytes_per_second, verdict.growth_interval_bytes_per_second
    if growth is None:
        return None, "the growth of the memory is not known"
    certain = interval is None or interval[0] > 0
    doubt = "" if certain or growth <= condition.bound else ", which can't be told from none"
    return growth > condition.bound and certain, f"the memory grows by {rate(growth)}{doubt}"
