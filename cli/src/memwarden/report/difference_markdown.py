"""The difference of two runs as Markdown: a sentence and two tables, then the report of the later run."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from memwarden.report.difference import pace
from memwarden.report.formats import markdown
from memwarden.report.html.markup import shown
from memwarden_api.difference import Difference
from memwarden_api.report import Verdict
from memwarden_core.wording import amount, duration

_TOP: Final = 10
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def render(difference: Difference) -> str:
    return "\n".join(_lines(difference)) + "\n\n" + markdown.render(difference.after)


def _lines(difference: Difference) -> Iterable[str]:
    yield f"## Memwarden, two runs: {difference.outcome}"
    yield ""
    yield f"**{_cell(difference.sentence, 2000)}**"
    yield ""
    yield f"| | {_cell(difference.before_name)} | {_cell(difference.after_name)} |"
    yield "|---|--:|--:|"
    for row in figures(difference):
        yield f"| {' | '.join(row)} |"
    changed = [site for site in difference.sites if pace(site.growth_change_bytes_per_second) != "none"][
        :_TOP
    ]
    if changed:
        yield ""
        yield "| Line of code | Growth before | Growth after | Change |"
        yield "|---|--:|--:|--:|"
        for site in changed:
            where = _cell(f"{site.file}:{site.line} {site.function}")
            then, now = site.before_growth_bytes_per_second, site.after_growth_bytes_per_second
            yield f"| {where} | {pace(then)} | {pace(now)} | {pace(site.growth_change_bytes_per_second)} |"


def figures(difference: Difference) -> list[tuple[str, str, str]]:
    """What is told of both runs: name, before, after."""
    before, after = difference.before.verdicts[0], difference.after.verdicts[0]

    def both(name: str, tell: Callable[[Verdict], str]) -> tuple[str, str, str]:
        return name, tell(before), tell(after)

    return [
        both("Verdict", lambda verdict: verdict.verdict),
        both("Growth", lambda v: _or_unknown(v.growth_bytes_per_second, pace)),
        (
            "Memory at the end",
            _or_unknown(difference.before_memory_bytes, amount),
            _or_unknown(difference.after_memory_bytes, amount),
        ),
        both(
            "Limit met in", lambda v: duration(v.oom_forecast_seconds.p50) if v.oom_forecast_seconds else "–"
        ),
    ]


def _or_unknown(value: float | None, tell: Callable[[float], str]) -> str:
    return "unknown" if value is None else tell(value)


def _cell(text: str, longest: int = 300) -> str:
    """One line in which nothing is markup."""
    return _SPECIAL.sub(r"\\\1", shown(text, longest))
