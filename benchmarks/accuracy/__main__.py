"""Score the judge on the corpus: text on the terminal, with --json and --html as files.

`PYTHONPATH=benchmarks python -m accuracy`, or `make accuracy`. The headline is the part `test`: programs that nobody
looked at while thresholds were chosen.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from corpus import labels

from accuracy import cases, fleets, page, text
from accuracy.figures import mistakes
from accuracy.runs import Outcome
from memwarden_core.settings import Sensitivity

PARTS = {
    "test": "Test: programs never seen",
    "train": "Train: programs looked at",
    "generated": "Generated series",
}


def outcomes(
    jobs: list[cases.Job], sensitivity: Sensitivity | None, workers: int, tick_seconds: float | None = None
) -> list[Outcome]:
    """All of them, in the order of the jobs, with progress on a terminal."""
    with ProcessPoolExecutor(workers) as pool:
        waiting = {pool.submit(cases.judged, job, sensitivity, tick_seconds): job for job in jobs}
        for done, _ in enumerate(as_completed(waiting), start=1):
            if sys.stderr.isatty():
                print(f"\r{done} of {len(jobs)} runs judged", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)
        return [future.result() for future in waiting]


def batches(members: list[Outcome]) -> dict[str, list[Outcome]]:
    """By what is scored by itself, where there are several."""
    names = sorted({one.truth.batch for one in members})
    return {name: [one for one in members if one.truth.batch == name] for name in names if len(names) > 1}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--html", type=Path, metavar="FILE")
    parser.add_argument("--part", choices=tuple(PARTS), help="only this one")
    parser.add_argument("--only", default="", help="programs whose name has this in it")
    parser.add_argument(
        "--sensitivity",
        choices=tuple(map(str, Sensitivity)),
        help="for all runs (normal for those of three hours, high for those of one and for fleets)",
    )
    parser.add_argument(
        "--tick",
        type=float,
        metavar="SECONDS",
        help="score recorded runs as if their ticks were so long (0.25)",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    wanted = [chosen.part] if chosen.part else list(PARTS)
    jobs = [*cases.recorded(wanted), *(cases.drawn() if "generated" in wanted else ())]
    jobs = [job for job in jobs if chosen.only in job.program]
    dial = None if chosen.sensitivity is None else Sensitivity(chosen.sensitivity)
    found = outcomes(jobs, dial, chosen.workers, chosen.tick)
    parts = {part: [one for one in found if one.truth.part == part] for part in wanted}
    for part, members in parts.items():
        if members:
            print("\n".join(text.summary(members, PARTS[part])), end="\n\n")
            for batch, some in batches(members).items():
                print("\n".join(text.summary(some, f"Of these, {batch}")), end="\n\n")
            for one in mistakes(members):
                said = "called leaking" if one.said_leaking else "not called"
                allowed = "/".join(sorted(one.truth.verdicts))
                print(f"  {one.truth.run}: {said}, ended {one.final}, right {allowed}")
            print()
    groups = fleets.fleets(wanted, dial or cases.usual(labels.SECONDS)) if not chosen.only else []
    for part in wanted:
        members = [one for one in groups if one.part == part]
        if members:
            print(f"{PARTS[part]}: " + "\n".join(fleets.lines(members)), end="\n\n")
    absent = cases.missing()
    if absent:
        print(f"{len(absent)} runs are not recorded, so not scored: {', '.join(absent[:5])}, …")
    if chosen.json:
        document = text.document(parts, batches(parts.get("test", []))) | {"fleets": fleets.document(groups)}
        chosen.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if chosen.html:
        chosen.html.write_text(page.render({PARTS[part]: members for part, members in parts.items()}, absent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
