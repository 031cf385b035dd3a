"""A verdict with every check behind it, as text for a terminal and as JSON."""

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from memwarden.report.html.checks import asked, groups, number, words
from memwarden.terminal.summary import printable
from memwarden_api.report import Gate
from memwarden_core.decision import decided_by
from memwarden_core.statement import place
from memwarden_core.verdict import Gate as CoreGate
from memwarden_core.verdict import Verdict
from memwarden_core.wording import amount, rate

_MARKS: Final = {True: ("✓", "32"), False: ("✗", "31"), None: ("·", "2")}
_NARROWEST: Final = 40
_WIDEST: Final = 110
_SITES: Final = 5


def lines(verdict: Verdict, width: int, colour: bool) -> Iterable[str]:
    """Lines of at most `width` columns; colours only for a terminal."""
    width = min(max(width, _NARROWEST), _WIDEST)
    gate = decided_by(verdict)
    mark = "" if gate is None else "passed most narrowly" if gate.passed else "decided"
    yield from _wrapped(_bold(printable(verdict.headline), colour), width, "")
    yield ""
    yield from _wrapped(f"{printable(verdict.reason)}.", width, "")
    if gate is not None:
        narrow = "The check passed most narrowly: " if gate.passed else "The check that decided: "
        yield from _wrapped(f"{narrow}{gate.name}, {_numbers(_public(gate))}.", width, "")
    if verdict.cause:
        yield from _wrapped(printable(verdict.cause), width, "")
    for title, members in groups(tuple(_public(one) for one in verdict.gates)):
        yield ""
        yield _bold(title, colour)
        for member in members:
            here = mark if gate is not None and member.name == gate.name else ""
            yield from _check(member, here, width, colour)
    if verdict.sites:
        yield ""
        yield _bold("Lines that hold most or grow fastest", colour)
        for site in verdict.sites[:_SITES]:
            text = (
                f"{place(site)}: {amount(site.live_bytes)}, {rate(site.growth_bytes_per_second)}, "
                f"{site.samples} samples, process {site.pid}"
            )
            yield from _wrapped(printable(text), width, "  ")


def as_json(verdict: Verdict) -> str:
    """The verdict's kind, what decided, and all gates with their numbers."""
    gate = decided_by(verdict)
    return json.dumps(
        {
            "schema": "memwarden.dev/why/v1",
            "verdict": verdict.kind,
            "headline": verdict.headline,
            "reason": verdict.reason,
            "confidence": verdict.confidence,
            "decided_by": gate.name if gate is not None else None,
            "gates": [asdict(one) for one in verdict.gates],
        },
        indent=2,
        ensure_ascii=False,
    )


def _check(gate: Gate, decided: str, width: int, colour: bool) -> Iterable[str]:
    mark, code = _MARKS[gate.passed]
    shown = f"\x1b[{code}m{mark}\x1b[0m" if colour else mark
    told = f"  ← {decided}" if decided else ""
    first, *rest = textwrap.wrap(f"{words(gate).question}{told}", width - 4) or [""]
    yield f"  {shown} {first}"
    yield from (f"    {line}" for line in rest)
    numbers = _numbers(gate)
    text = printable(gate.text) + (f" ({gate.name}: {numbers})" if numbers else f" ({gate.name})")
    yield from _wrapped(text, width, "      ")


def _numbers(gate: Gate) -> str:
    value = number(gate.value, gate.unit)
    if not value:
        return "could not be checked" if gate.passed is None else ""
    needed = asked(gate)
    return f"{value}, needed {needed}" if needed else value


def _public(gate: CoreGate) -> Gate:
    return Gate.model_validate(asdict(gate))


def _wrapped(text: str, width: int, indent: str) -> Iterable[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)


def _bold(text: str, colour: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if colour else text
