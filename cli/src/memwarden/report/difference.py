"""Two runs side by side, before and after a change: what got better or worse, in one sentence and by line of code.

Rates are compared, not sizes: runs are rarely equally long. Lines of code are the same where the last two parts of
the path and the function are: the line's number moves with every edit above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from memwarden.report.html.chart import end_level
from memwarden.report.html.profile import Row, Table, heap, table
from memwarden.report.selection import Selected
from memwarden_api.difference import Difference, Outcome, SiteChange
from memwarden_api.report import Verdict
from memwarden_core.code import module_of, short_path
from memwarden_core.recording import FloatArray, Frame, Recording
from memwarden_core.wording import amount, rate

SITES: Final = 200
COLUMNS: Final = ("growth before", "growth after", "live before", "live after")
"""Of `Compared.stacks`: bytes per minute twice, then bytes at the end twice."""
_GROWING: Final = ("Leaking", "Growing")
_SILENT: Final = ("Unknown", "WarmingUp")
_LEVEL_SHARE: Final = 0.1
_LEVEL_BYTES: Final = 5e6
"""Memory that differs by less, or by a smaller share, is the same: so much differs from run to run."""
_QUARTER: Final = 0.25
_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Compared:
    """The difference, and what its pictures are drawn from."""

    difference: Difference
    before: Recording
    stacks: Table
    """Stacks of both runs with COLUMNS."""


def compare(before: Selected, after: Selected, before_name: str, after_name: str) -> Compared:
    """`after` is the run that the report is about."""
    stacks = _joined(before.recording, after.recording)
    sites = _sites(stacks)
    levels = end_level(before.recording), end_level(after.recording)
    outcome, sentence = _sentence(before.report.verdicts[0], after.report.verdicts[0], levels, sites)
    difference = Difference(
        schema="memwarden.dev/difference/v1",
        outcome=outcome,
        sentence=sentence,
        before_memory_bytes=None if levels[0] is None else round(levels[0]),
        after_memory_bytes=None if levels[1] is None else round(levels[1]),
        before_name=before_name,
        after_name=after_name,
        before=before.report,
        after=after.report,
        sites=tuple(sites[:SITES]),
    )
    return Compared(difference, before.recording, stacks)


_Levels = tuple[float | None, float | None]


def _sentence(
    before: Verdict, after: Verdict, levels: _Levels, sites: Sequence[SiteChange]
) -> tuple[Outcome, str]:
    for verdict, which in ((before, "before"), (after, "after")):
        if verdict.verdict in _SILENT:
            return "unclear", f"Nothing can be said: the run {which} was not judged ({verdict.reason})."
    then, now = _growth(before), _growth(after)
    if then is not None and now is None:
        return "better", (
            f"Better: memory no longer grows; it grew by {rate(then)} before ({before.verdict}), "
            f"and is {after.verdict} now{_led_by(sites, better=True)}."
        )
    if then is None and now is not None:
        return "worse", (
            f"Worse: memory grows by {rate(now)} ({after.verdict}); it did not before ({before.verdict})"
            f"{_led_by(sites, better=False)}."
        )
    if then is not None and now is not None:
        return _paces(before, after, then, now, sites)
    return _compare_levels(levels)


def _growth(verdict: Verdict) -> float | None:
    """Bytes per second where the judge sees memory grow."""
    return verdict.growth_bytes_per_second if verdict.verdict in _GROWING else None


def _paces(
    before: Verdict, after: Verdict, then: float, now: float, sites: Sequence[SiteChange]
) -> tuple[Outcome, str]:
    low, high = before.growth_interval_bytes_per_second or (then, then)
    lower, upper = after.growth_interval_bytes_per_second or (now, now)
    if upper < low:
        return "better", (
            f"Better, but it still grows: by {rate(now)} instead of {rate(then)}{_led_by(sites, better=True)}."
        )
    if lower > high:
        return (
            "worse",
            f"Worse: memory grows by {rate(now)} instead of {rate(then)}{_led_by(sites, better=False)}.",
        )
    return "same", f"No difference that can be told from chance: {rate(then)} before, {rate(now)} after."


def _compare_levels(levels: _Levels) -> tuple[Outcome, str]:
    then, now = levels[0] or 0.0, levels[1] or 0.0
    change = now - then
    if abs(change) < max(_LEVEL_BYTES, _LEVEL_SHARE * max(then, now)):
        return (
            "same",
            f"No difference: memory grows in neither run, and ends at {amount(then)} and {amount(now)}.",
        )
    word = "more" if change > 0 else "less"
    outcome: Outcome = "worse" if change > 0 else "better"
    return outcome, (
        f"{outcome.capitalize()}: memory grows in neither run, and ends {amount(abs(change))} {word}: "
        f"at {amount(now)}, {amount(then)} before."
    )


def _led_by(sites: Sequence[SiteChange], *, better: bool) -> str:
    """The line that changed most in this direction."""
    sign = -1 if better else 1
    led = max(sites, key=lambda one: sign * one.growth_change_bytes_per_second, default=None)
    if led is None or sign * led.growth_change_bytes_per_second <= 0:
        return ""
    call = led.function if led.function.endswith(">") else f"{led.function}()"
    then, now = pace(led.before_growth_bytes_per_second), pace(led.after_growth_bytes_per_second)
    return f"; {short_path(led.file)}:{led.line} {call} went from {then} to {now}"


def pace(bytes_per_second: float) -> str:
    """A growth; less than a kilobyte a minute is none."""
    return rate(bytes_per_second) if abs(bytes_per_second) * _MINUTE >= 1000 else "none"


def _sites(stacks: Table) -> list[SiteChange]:
    totals: dict[Frame, FloatArray] = {}
    for row, values in zip(stacks.rows, stacks.values, strict=True):
        if row.site is not None:
            totals[row.site] = totals.get(row.site, 0.0) + values
    found = []
    for site, values in totals.items():
        then, now = float(values[0]) / _MINUTE, float(values[1]) / _MINUTE
        found.append(
            SiteChange(
                file=site.file,
                line=site.line,
                function=site.function,
                before_live_bytes=round(float(values[2])),
                after_live_bytes=round(float(values[3])),
                before_growth_bytes_per_second=then,
                after_growth_bytes_per_second=now,
                growth_change_bytes_per_second=now - then,
            )
        )
    found.sort(key=lambda one: (-abs(one.growth_change_bytes_per_second), one.file, one.line, one.function))
    return found


_Key = tuple[str, str]


def _joined(before: Recording, after: Recording) -> Table:
    """Stacks of both runs on common frames, over all processes."""
    frames: dict[_Key, Frame] = {}
    rows: dict[tuple[tuple[Frame, ...], Frame | None], FloatArray] = {}
    samples: dict[tuple[tuple[Frame, ...], Frame | None], int] = {}
    for recording, first in ((after, 1), (before, 0)):  # the later one first: its lines are shown
        chosen = heap(recording)
        found = table(chosen)
        paces = _paces_of(found.values, chosen.times)
        for row, pace, live, seen in zip(
            found.rows, paces, found.values, found.samples.tolist(), strict=True
        ):
            stack = tuple(_common(frame, frames) for frame in row.stack)
            key = (stack, None if row.site is None else _common(row.site, frames))
            values = rows.setdefault(key, np.zeros(len(COLUMNS)))
            values[first] += pace
            values[first + 2] += live[-1]
            samples[key] = samples.get(key, 0) + int(seen)
    prefixes = sorted(
        {
            prefix
            for one in (before, after)
            for process in one.processes
            for prefix in process.library_prefixes
        }
    )
    return Table(
        rows=[Row(0, stack, site) for stack, site in rows],
        values=np.array(list(rows.values())).reshape(len(rows), len(COLUMNS)),
        samples=np.array(list(samples.values()), dtype=np.int64),
        processes=("",),
        prefixes=(tuple(prefixes),),
    )


def _paces_of(values: FloatArray, times: FloatArray) -> FloatArray:
    """Bytes a minute of each stack from the first quarter of a run to its end."""
    if times.size < 2:
        return np.zeros(values.shape[0])
    quarter = int(np.abs(times - (times[0] + _QUARTER * (times[-1] - times[0]))).argmin())
    quarter = min(quarter, times.size - 2)
    paces: FloatArray = (
        (values[:, -1] - values[:, quarter]) / max(float(times[-1] - times[quarter]), 1e-3) * _MINUTE
    )
    return paces


def _common(frame: Frame, frames: dict[_Key, Frame]) -> Frame:
    return frames.setdefault((module_of(frame.file), frame.function), frame)
