"""What is said after the app's end: the verdict, the likeliest lines, where the report is, what it cost."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from memwarden_api.report import Report, Site, Verdict
from memwarden_core.wording import amount, percent, rate

_TOP: Final = 3
_INDENT: Final = "  "


def lines(report: Report, files: Sequence[Path]) -> Iterable[str]:
    """Lines without a prefix but the first; plain text, since it may land in a log."""
    for verdict in report.verdicts:
        yield f"memwarden: {printable(verdict.headline)}"
        if verdict.verdict != "Healthy":
            for site in verdict.sites[:_TOP]:
                yield _INDENT + _site(site)
            for advice in _advice(verdict):
                yield f"{_INDENT}→ {advice}"
    for note in report.notes:
        yield _INDENT + printable(note)
    for file in files:
        yield f"{_INDENT}written: {file}"
    yield _INDENT + _cost(report)


def printable(text: str) -> str:
    """One line without control characters: names in the app's code must not steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in " ".join(text.split()))


def _site(site: Site) -> str:
    return printable(
        f"{site.file}:{site.line} {site.function}: {amount(site.live_bytes)}, "
        f"{rate(site.growth_bytes_per_second)}, {percent(site.growth_share)} of the growth"
    )


def _advice(verdict: Verdict) -> Iterable[str]:
    for advice in verdict.advice[:_TOP]:
        yield printable(advice.text)


def _cost(report: Report) -> str:
    parts = report.cost.components
    cpu = sum(part.cpu_seconds for part in parts)
    memory = sum(part.peak_rss_bytes or 0 for part in parts)
    ratio = report.cost.cpu_ratio
    share = f" ({percent(ratio)} of one core)" if ratio is not None else ""
    return f"cost of watching: {cpu:.1f} s CPU{share}, {amount(memory)} memory beside the command"
