"""From outcomes to figures, each with its 95 % interval.

Runs of one program are alike, so intervals are drawn by program: a bootstrap over programs (Cameron, Gelbach and Miller
2008), and where nothing went wrong, the exact bound of Clopper and Pearson (1934) on the number of programs.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from accuracy.runs import Outcome

ROUNDS: Final = 2000
SEED: Final = 20261121
FAST_PERCENT: Final = 1.0
FAST_SAMPLES: Final = 10
WEEK: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A share or a number; None where nothing was there to count."""

    value: float | None
    lower: float | None
    upper: float | None
    count: int
    """Runs behind it."""


@dataclass(frozen=True, slots=True)
class Score:
    """One method on one part of the corpus."""

    method: str
    runs: int
    programs: int
    precision: Figure
    recall: Figure
    false_positives: Figure
    """Share of healthy runs that were called leaking at any moment."""
    minutes_to_detect: Figure
    """Of fast leaks, in minutes of one-second ticks (compressed time counts as real); the 90 % quantile."""


Verdict = Callable[[Outcome], bool]
Detected = Callable[[Outcome], float | None]


def score(method: str, outcomes: Sequence[Outcome], said: Verdict, detected: Detected) -> Score:
    """`said`: whether the method raised an alarm in the run; `detected`: seconds after the leak's beginning."""
    leaks = [one for one in outcomes if one.truth.leak]
    healthy = [one for one in outcomes if not one.truth.leak]
    called = [one for one in outcomes if said(one)]
    fast = [one for one in leaks if is_fast(one) and detected(one) is not None]
    return Score(
        method=method,
        runs=len(outcomes),
        programs=len({one.truth.program for one in outcomes}),
        precision=share(called, lambda one: one.truth.leak),
        recall=share(leaks, said),
        false_positives=share(healthy, said),
        minutes_to_detect=quantile(fast, lambda one: ticks(one, detected(one) or 0.0) / 60, 0.9),
    )


def ours(outcome: Outcome) -> bool:
    return outcome.said_leaking


def is_fast(outcome: Outcome) -> bool:
    """A leak of 1 % of the limit a minute or more, and ten samples at its site where it has one."""
    seen = outcome.site_samples >= FAST_SAMPLES or not outcome.truth.has_site or outcome.site_rank is None
    return outcome.percent_a_minute >= FAST_PERCENT and seen


def ticks(outcome: Outcome, seconds: float) -> float:
    return seconds / outcome.interval


def share(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> Figure:
    """The share of runs for which it holds, with an interval by program."""
    if not outcomes:
        return Figure(None, None, None, 0)
    by_program = _grouped(outcomes, lambda one: float(holds(one)))
    value = sum(map(sum, by_program)) / len(outcomes)
    if value in (0.0, 1.0):
        bound = 1 - 0.05 ** (1 / len(by_program))
        lower, upper = (0.0, bound) if value == 0.0 else (1 - bound, 1.0)
        return Figure(value, lower, upper, len(outcomes))
    lower, upper = _bootstrap(by_program, lambda drawn: sum(map(sum, drawn)) / sum(map(len, drawn)))
    return Figure(value, lower, upper, len(outcomes))


def quantile(outcomes: Sequence[Outcome], of: Callable[[Outcome], float], q: float) -> Figure:
    if not outcomes:
        return Figure(None, None, None, 0)
    by_program = _grouped(outcomes, of)
    value = float(np.quantile([item for group in by_program for item in group], q))
    lower, upper = _bootstrap(
        by_program, lambda drawn: float(np.quantile([item for group in drawn for item in group], q))
    )
    return Figure(value, lower, upper, len(outcomes))


def _grouped(outcomes: Sequence[Outcome], of: Callable[[Outcome], float]) -> list[list[float]]:
    groups: dict[str, list[float]] = {}
    for one in outcomes:
        groups.setdefault(one.truth.program, []).append(of(one))
    return list(groups.values())


def _bootstrap(
    groups: list[list[float]], figure: Callable[[list[list[float]]], float]
) -> tuple[float, float]:
    generator = np.random.default_rng(SEED)
    drawn = [
        figure([groups[index] for index in generator.integers(0, len(groups), len(groups))])
        for _ in range(ROUNDS)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def leaked_megabytes(outcomes: Sequence[Outcome]) -> Figure:
    """What had leaked when the leak was called: the median, in 10⁶ bytes."""
    return quantile([one for one in outcomes if one.leaked_bytes is not None], _leaked, 0.5)


def _leaked(outcome: Outcome) -> float:
    return (outcome.leaked_bytes or 0.0) / 1e6


def false_alarms_a_week(outcomes: Sequence[Outcome]) -> Figure:
    """How often a week a healthy program is newly called leaking. Only long series have weeks; where it never happened,
    the bound is that of a Poisson count of none."""
    healthy = [one for one in outcomes if not one.truth.leak]
    weeks = sum(one.seconds for one in healthy) / WEEK
    if weeks < 1:
        return Figure(None, None, None, len(healthy))
    alarms = _grouped(healthy, _alarms_begun)
    if not any(map(any, alarms)):
        return Figure(0.0, 0.0, -math.log(0.05) / weeks, len(healthy))
    lower, upper = _bootstrap(
        alarms, lambda drawn: sum(map(sum, drawn)) / sum(map(len, drawn)) * len(healthy) / weeks
    )
    return Figure(sum(map(sum, alarms)) / weeks, lower, upper, len(healthy))


def _alarms_begun(outcome: Outcome) -> float:
    leaking = [one.kind == "Leaking" for one in outcome.verdicts]
    return float(sum(now and not before for before, now in pairwise([False, *leaking])))


def sites(outcomes: Sequence[Outcome]) -> tuple[Figure, Figure]:
    """(right site first, among the first three), of leaks that were called and have a site of their own."""
    named = [one for one in outcomes if one.truth.leak and one.truth.has_site and one.said_leaking]
    return (
        share(named, lambda one: one.site_rank == 1),
        share(named, lambda one: one.site_rank is not None and one.site_rank <= 3),
    )


def right_at_the_end(outcomes: Sequence[Outcome]) -> Figure:
    """The last verdict is one of those that the label allows."""
    return share(outcomes, lambda one: one.final in one.truth.verdicts)


def confusion(outcomes: Sequence[Outcome]) -> dict[str, Counter[str]]:
    """What is true → what was said last."""
    found = {"leak": Counter[str](), "healthy": Counter[str]()}
    for one in outcomes:
        found["leak" if one.truth.leak else "healthy"][one.final] += 1
    return found


def coverage(outcomes: Sequence[Outcome]) -> tuple[Figure, float | None]:
    """(share of forecasts whose P10 to P90 holds what came, median relative error of P50)."""
    asked = [(one, told) for one in outcomes for told in one.forecasts]
    if not asked:
        return Figure(None, None, None, 0), None
    groups: dict[str, list[float]] = {}
    for one, told in asked:
        groups.setdefault(one.truth.program, []).append(float(told.p10 <= told.came <= told.p90))
    by_program = list(groups.values())
    value = sum(map(sum, by_program)) / len(asked)
    lower, upper = _bootstrap(by_program, lambda drawn: sum(map(sum, drawn)) / sum(map(len, drawn)))
    errors = [abs(told.p50 - told.came) / max(told.came, 1e-9) for _, told in asked]
    return Figure(value, lower, upper, len(asked)), float(np.median(errors))


@dataclass(frozen=True, slots=True)
class Bin:
    """Last verdicts of about the same confidence."""

    confidence: float
    right: float
    runs: int


def calibration(outcomes: Sequence[Outcome]) -> tuple[list[Bin], float | None]:
    """(bins of five per cent and wider, mean distance of confidence from the share that was right)."""
    judged = [one for one in outcomes if one.verdicts and one.final not in ("Unknown", "WarmingUp")]
    bins = []
    for low, high in ((0.0, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01)):
        inside = [one for one in judged if low <= one.verdicts[-1].confidence < high]
        if inside:
            right = sum(one.final in one.truth.verdicts for one in inside) / len(inside)
            bins.append(
                Bin(float(np.mean([one.verdicts[-1].confidence for one in inside])), right, len(inside))
            )
    total = sum(item.runs for item in bins)
    error = sum(item.runs * abs(item.confidence - item.right) for item in bins) / total if total else None
    return bins, error


def mistakes(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Runs at which a person should look: called wrongly, not found, or wrong at the end."""
    return [
        one for one in outcomes if one.said_leaking != one.truth.leak or one.final not in one.truth.verdicts
    ]
