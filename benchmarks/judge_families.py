"""How often the judge is right on generated runs: `python benchmarks/judge_families.py --seeds 40`.

Each run is judged every five ticks from its start, each verdict with the one before it. For a leak: whether
and when `Leaking` was said first. For a healthy run: whether it was said at any moment.
"""

import argparse

import numpy as np

from memwarden_core.families import FAMILIES, Family
from memwarden_core.scoring import Score, score
from memwarden_core.settings import JudgeSettings, Sensitivity

HEADER = "{:<22}{:>13}{:>9}{:>8}{:>6}{:>6}{:>11}{:>8}{:>6}  {}"


def row(family: Family, result: Score, milliseconds: float) -> str:
    when = np.array(result.when)
    ends = ", ".join(f"{name} {count}" for name, count in result.final.most_common())
    return HEADER.format(
        family.name + ("*" if family.undecidable else ""),
        f"{result.convicted}/{result.runs}",
        f"{result.in_time}/{result.runs}" if family.leak else "",
        f"{np.median(when):.0f}" if when.size else "",
        f"{np.quantile(when, 0.9):.0f}" if when.size else "",
        f"{result.right_site}" if family.leak else "",
        result.withdrawn,
        f"{result.changes / result.runs:.1f}",
        f"{milliseconds:.1f}",
        ends,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40, help="runs a family")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds a tick")
    parser.add_argument("--only", default="", help="families whose name has this in it")
    parser.add_argument("--sensitivity", choices=tuple(map(str, Sensitivity)), default="normal")
    parser.add_argument("--ticks", type=int, help="of each run (as many as its family has)")
    chosen = parser.parse_args()
    settings = JudgeSettings.of(Sensitivity(chosen.sensitivity))
    print(
        f"{chosen.seeds} runs a family, ticks of {chosen.interval:g} s, judged every 5 ticks; times in ticks"
    )
    print("* nobody could tell at that time: shown, not asserted")
    print(
        HEADER.format(
            "family",
            "said Leaking",
            "in time",
            "median",
            "90 %",
            "site",
            "taken back",
            "changes",
            "ms",
            "at the end",
        )
    )
    slowest = 0.0
    for family in FAMILIES:
        if chosen.only not in family.name:
            continue
        result = score(
            family.name, range(chosen.seeds), chosen.interval, settings=settings, ticks=chosen.ticks
        )
        slowest = max(slowest, result.slowest)
        print(row(family, result, 1000 * result.seconds / max(1, result.judgements)), flush=True)
    print(f"slowest judgement: {1000 * slowest:.0f} ms")


if __name__ == "__main__":
    main()
