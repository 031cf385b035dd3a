"""Fits the judge's confidence on the training programs: the lines of `memwarden_core.confidence.LINES`.

`PYTHONPATH=benchmarks python -m accuracy.fit [--sensitivity high]`. Every moment at which a run was judged counts, each
run as one: its moments share a weight of one. While a leak is young, `Growing` is right. Logistic regression with a
ridge towards nine of ten, worth `PRIOR_RUNS` runs: a class that was always right in twenty runs is not for ever.
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Final

import numpy as np
from corpus import labels

from accuracy.cases import Job, recorded
from accuracy.runs import EVERY_TICKS, MOST_JUDGEMENTS, read
from memwarden_core.confidence import classed, strength
from memwarden_core.gates import SITE_GATES, passed
from memwarden_core.recording import FloatArray
from memwarden_core.replay import replay
from memwarden_core.settings import JudgeSettings, Sensitivity
from memwarden_core.verdict import Kind, Verdict

PRIOR_RUNS: Final = 4.0
PRIOR_ODDS: Final = float(np.log(9))
SLOPE_SPREAD: Final = 2.0
"""Standard deviation of the slope before anything was seen."""
STEPS: Final = 60

Point = tuple[str, float, bool, float]
"""(class, strength, right, weight)."""


def points(job: Job, sensitivity: Sensitivity) -> list[Point]:
    """What a run says of each class."""
    settings = JudgeSettings.of(sensitivity)
    program = labels.program_named(job.program)
    assert job.file is not None
    recording = read(job.file)
    ticks = (recording.ended - recording.started) / recording.interval
    every = max(EVERY_TICKS, ticks / MOST_JUDGEMENTS)
    seen = [_point(verdict, program) for verdict in replay(recording, every_ticks=every, settings=settings)]
    claims = [one for one in seen if one[0]]
    return [(name, strong, right, 1 / len(claims)) for name, strong, right in claims]


def _point(verdict: Verdict, program: labels.Program) -> tuple[str, float, bool]:
    attributed = passed(verdict.gates, SITE_GATES)
    kept = verdict.kind is Kind.LEAKING and verdict.observed is not Kind.LEAKING
    right = verdict.kind.value in program.verdicts or (program.leak and verdict.kind is Kind.GROWING)
    return classed(verdict.kind, attributed, kept), strength(verdict.kind, verdict.gates), right


def fit(strong: FloatArray, right: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """(log-odds at 0, slope) of the greatest posterior; Newton's method."""
    x = np.stack([np.ones_like(strong), strong])
    middle = np.array([PRIOR_ODDS, 0.0])
    precision = np.diag([PRIOR_RUNS * 0.09, 1 / SLOPE_SPREAD**2])
    line = middle.copy()
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(line @ x)))
        gradient = x @ (weight * (right - p)) - precision @ (line - middle)
        curvature = (x * (weight * p * (1 - p))) @ x.T + precision
        line = line + np.linalg.solve(curvature, gradient)
    return float(line[0]), float(line[1])


def _all(sensitivity: Sensitivity) -> Iterator[Point]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(partial(points, sensitivity=sensitivity), recorded({"train"}), chunksize=4):
            yield from found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sensitivity", choices=tuple(map(str, Sensitivity)), default="normal")
    chosen = parser.parse_args()
    classes: dict[str, list[Point]] = defaultdict(list)
    for point in _all(Sensitivity(chosen.sensitivity)):
        classes[point[0]].append(point)
    for name, found in sorted(classes.items()):
        strong, right, weight = (np.array([one[place] for one in found], float) for place in (1, 2, 3))
        base, slope = fit(strong, right, weight)
        share = float(weight @ right / weight.sum())
        print(
            f'    "{name}": ({base:.2f}, {slope:.2f}),  # worth {weight.sum():.1f} runs, {100 * share:.0f} % right'
        )


if __name__ == "__main__":
    main()
