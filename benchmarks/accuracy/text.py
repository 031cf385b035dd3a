"""The score as text and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from accuracy import figures
from accuracy.detectors import DETECTORS
from accuracy.figures import Figure, Score, score
from accuracy.runs import Outcome

METHODS = ("Memwarden", *DETECTORS)


def scores(outcomes: Sequence[Outcome]) -> list[Score]:
    """Ours and the four simple methods, on the same runs."""
    found = [score("Memwarden", outcomes, figures.ours, lambda one: one.first_leaking)]
    for name in DETECTORS:
        found.append(
            score(
                name,
                outcomes,
                lambda one, name=name: one.alarms[name] is not None,
                lambda one, name=name: None if (at := one.alarms[name]) is None else at - one.truth.begins,
            )
        )
    return found


def summary(outcomes: Sequence[Outcome], title: str) -> list[str]:
    """Lines for a terminal."""
    leaks = sum(one.truth.leak for one in outcomes)
    programs = len({one.truth.program for one in outcomes})
    lines = [
        f"{title}: {programs} programs, {len(outcomes)} runs ({leaks} of leaks); intervals of 95 %, drawn by program",
        f"{'':<16} {'precision':<22} {'recall':<22} {'healthy runs called':<22} {'minutes, 90 %':<20}",
    ]
    for one in scores(outcomes):
        lines.append(
            f"{one.method:<16} {shown(one.precision):<22} {shown(one.recall):<22} "
            f"{shown(one.false_positives):<22} {plain(one.minutes_to_detect):<20}"
        )
    first, third = figures.sites(outcomes)
    covered, error = figures.coverage(outcomes)
    bins, distance = figures.calibration(outcomes)
    leaked, alarms = figures.leaked_megabytes(outcomes), figures.false_alarms_a_week(outcomes)
    lines += [
        f"right line first {shown(first)}, among three {shown(third)}; last verdict right "
        f"{shown(figures.right_at_the_end(outcomes))}",
        f"forecast: P10–P90 holds {shown(covered)} of {covered.count}; median error of P50 "
        + ("none asked" if error is None else f"{100 * error:.0f} %"),
        f"leaked when called, median: {plain(leaked)} MB",
        "confidence said → right: "
        + ", ".join(f"{100 * item.confidence:.0f} → {100 * item.right:.0f} % ({item.runs})" for item in bins)
        + ("" if distance is None else f"; mean distance {100 * distance:.0f} points"),
    ]
    if alarms.value is not None:
        lines.append(f"false alarms a week and healthy program: {shown(alarms)}")
    for truth, counted in figures.confusion(outcomes).items():
        told = ", ".join(f"{kind} {count}" for kind, count in counted.most_common())
        lines.append(f"{truth} runs ended as: {told}")
    return lines


def document(
    parts: Mapping[str, Sequence[Outcome]], batches: Mapping[str, Sequence[Outcome]]
) -> dict[str, Any]:
    """All figures of all parts and of the batches of some of them, and every run once."""
    return {
        "schema": "memwarden.dev/accuracy/v1",
        "parts": {
            name: {
                "scores": [asdict(one) for one in scores(outcomes)],
                "site_top1": asdict(figures.sites(outcomes)[0]),
                "site_top3": asdict(figures.sites(outcomes)[1]),
                "right_at_the_end": asdict(figures.right_at_the_end(outcomes)),
                "leaked_megabytes": asdict(figures.leaked_megabytes(outcomes)),
                "false_alarms_a_week": asdict(figures.false_alarms_a_week(outcomes)),
                "forecast_coverage": asdict(figures.coverage(outcomes)[0]),
                "forecast_median_error": figures.coverage(outcomes)[1],
                "calibration": [asdict(item) for item in figures.calibration(outcomes)[0]],
                "confusion": {truth: dict(told) for truth, told in figures.confusion(outcomes).items()},
            }
            for name, outcomes in (*parts.items(), *((f"of {name}", some) for name, some in batches.items()))
        },
        "runs": [_run(one) for outcomes in parts.values() for one in outcomes],
    }


def _run(one: Outcome) -> dict[str, Any]:
    return {
        "run": one.truth.run,
        "part": one.truth.part,
        "family": one.truth.family,
        "leak": one.truth.leak,
        "first_leaking_seconds": one.first_leaking,
        "leaked_bytes": one.leaked_bytes,
        "site_rank": one.site_rank,
        "final": one.final,
        "right_at_the_end": one.final in one.truth.verdicts,
        "alarms_seconds": dict(one.alarms),
        "headline": one.headline,
    }


def shown(figure: Figure) -> str:
    """A share with its interval: "0.97 (0.91–1.00)"."""
    if figure.value is None:
        return "–"
    return f"{figure.value:.2f} ({figure.lower:.2f}–{figure.upper:.2f})"


def plain(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.1f} ({figure.lower:.1f}–{figure.upper:.1f})"
