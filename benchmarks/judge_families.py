"""How often the judge is right on generated runs, by family: `python benchmarks/judge_families.py --seeds 40`.

Each run is judged every five ticks from its start, each verdict with the one before it. For a leak: whether and
when `Leaking` was said first. For a healthy run: whether it was said at any moment.
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from memwarden_core.families import FAMILIES, Family
from memwarden_core.replay import replay
from memwarden_core.synthetic import EPOCH, record
from memwarden_core.verdict import Kind


@dataclass
class Score:
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


def score(family: Family, seeds: range, interval: float) -> Score:
    result = Score()
    for seed in seeds:
        shape = family.shape(np.random.default_rng(seed + 1000))
        recording = record(shape, family.ticks, seed, interval)
        first: float | None = None
        last = None
        right = False
        begun = time.perf_counter()
        for verdict in replay(recording):
            result.slowest = max(result.slowest, time.perf_counter() - begun)
            begun = time.perf_counter()
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--undecidable", action="store_true")
    chosen = parser.parse_args()
    print(f"{chosen.seeds} runs a family, ticks of {chosen.interval:g} s, judged every 5 ticks; times in ticks")
    print(f"{'family':<22}{'said Leaking':>13}{'in time':>9}{'median':>8}{'90 %':>6}{'site':>6}{'taken back':>11}"
          f"{'changes':>8}{'ms':>6}  verdict at the end")
    for family in FAMILIES:
        if chosen.only not in family.name:
            continue
        begun = time.perf_counter()
        result = score(family, range(chosen.seeds), chosen.interval)
        took = 1000 * (time.perf_counter() - begun) / max(1, result.judgements)
        when = np.array(result.when or [np.nan])
        ends = ", ".join(f"{name} {count}" for name, count in result.final.most_common())
        mark = "leak" if family.leak else "hard" if family.undecidable else ""
        in_time = f"{result.in_time}/{result.runs}" if family.leak else ""
        site = f"{result.right_site}" if family.leak else ""
        print(
            f"{family.name:<22}{result.convicted:>8}/{result.runs:<4}{in_time:>9}{np.nanmedian(when) if result.when else np.nan:>8.0f}"
            f"{np.quantile(when, 0.9) if result.when else np.nan:>6.0f}{site:>6}{result.withdrawn:>11}"
            f"{result.changes / result.runs:>8.1f}{took:>6.1f}  {ends} {mark}"
        )


if __name__ == "__main__":
    main()
