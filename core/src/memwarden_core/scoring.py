"""How often the judge was right on generated runs of one family, for the tests and the benchmark."""

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from memwarden_core.families import FAMILIES, Family
from memwarden_core.judge import DEFAULT_SETTINGS
from memwarden_core.replay import replay
from memwarden_core.settings import JudgeSettings
from memwarden_core.synthetic import EPOCH, record
from memwarden_core.verdict import Kind


@dataclass(slots=True)
class Score:
    """Counts over the runs of a family; `when` in ticks from the leak's beginning to its first `Leaking`."""

    runs: int = 0
    convicted: int = 0
    in_time: int = 0
    right_site: int = 0
    changes: int = 0
    withdrawn: int = 0
    when: list[float] = field(default_factory=list)
    final: Counter[str] = field(default_factory=Counter)
    judgements: int = 0
    seconds: float = 0.0
    slowest: float = 0.0


def family_named(name: str) -> Family:
    """The family of that name."""
    return next(family for family in FAMILIES if family.name == name)


def score(
    name: str,
    seeds: range,
    interval: float = 1.0,
    every_ticks: float = 5.0,
    settings: JudgeSettings = DEFAULT_SETTINGS,
    ticks: int | None = None,
) -> Score:
    """Record and judge one run a seed, each verdict with the one before it, from the start to the end: after `ticks`,
    or as long as the family's runs are."""
    family = family_named(name)
    result = Score()
    for seed in seeds:
        shape = family.shape(np.random.default_rng(seed + 1000))
        recording = record(shape, ticks or family.ticks, seed, interval)
        first: float | None = None
        last = None
        right = False
        begun = time.process_time()
        for verdict in replay(recording, every_ticks=every_ticks, settings=settings):
            took = time.process_time() - begun
            result.slowest, result.seconds = max(result.slowest, took), result.seconds + took
            begun = time.process_time()
            result.judgements += 1
            if verdict.kind is Kind.LEAKING and first is None:
                first = (verdict.at - EPOCH) / interval - family.begins
                right = bool(verdict.sites) and verdict.sites[0].function == family.site
            if last is not None:
                result.changes += last.kind is not verdict.kind
                result.withdrawn += last.kind is Kind.LEAKING and verdict.kind is not Kind.LEAKING
            last = verdict
        result.runs += 1
        result.final[str(last.kind) if last else "none"] += 1
        if first is not None:
            result.convicted += 1
            result.when.append(first)
            result.right_site += right
            result.in_time += family.within is not None and first <= family.within
    return result
