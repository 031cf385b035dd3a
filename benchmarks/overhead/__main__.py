"""Measures everything, prints tables, keeps the result, and compares it with its bounds.

The exit code is 1 when a bound does not hold: of a web service by the upper end of the 95 % interval.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from overhead import environments, instructions, measures, page
from overhead.programs import SERVERS
from overhead.variants import LOAD_CORE, sidecars

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks" / "results" / "overhead.json"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m overhead", description=__doc__)
    parser.add_argument("--python", action="append", help="an interpreter; may be repeated")
    parser.add_argument("--rounds", type=int, default=40, help="pairs of fresh processes (%(default)s)")
    parser.add_argument("--other-rounds", type=int, default=15, help="of the other profilers (%(default)s)")
    parser.add_argument("--only", default="", help="parts whose name has this in it")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--keep", type=Path, help="keep the result in this file")
    parser.add_argument(
        "--page", action="store_true", help="print the page of the kept result; measure nothing"
    )
    options = parser.parse_args(arguments)
    if options.page:
        print(page.render(json.loads(KEPT.read_text())), end="")
        return 0
    os.sched_setaffinity(0, {LOAD_CORE})
    found = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": measures.machine(),
        "interpreters": [],
    }
    for interpreter in options.python or measures.interpreters():
        python = environments.prepare(interpreter)
        result = {"versions": environments.versions(python), "parts": []}
        found["interpreters"].append(result)
        for part in _measured(python, options):
            result["parts"] += part
            if options.keep:
                options.keep.parent.mkdir(parents=True, exist_ok=True)
                options.keep.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1) if options.json else page.tables(found))
    missed = page.missed(found)
    for sentence in missed:
        print(sentence, file=sys.stderr)
    return 1 if missed else 0


def _measured(python: Path, options: argparse.Namespace) -> Iterator[list[dict]]:
    """The rows of each part, as soon as it is done."""
    with tempfile.TemporaryDirectory(prefix="mwo") as name, sidecars(Path(name)) as running:
        bench = measures.Bench(python, Path(name), running, options.rounds, options.other_rounds)
        parts = {"start": bench.start_up, "tables": bench.full_tables}
        parts |= {f"loop {loop}": lambda loop=loop: bench.loop(loop) for loop in measures.LOOPS}
        parts |= {f"web {server}": lambda server=server: bench.web(server) for server in SERVERS}
        parts |= {f"instructions {what}": lambda what=what: instructions.count(bench, what)
                  for what in (*measures.LOOPS, *SERVERS)}  # fmt: skip
        for part, measure in parts.items():
            if options.only in part:
                begun = time.monotonic()
                rows = [{"part": part, **row} for row in measure()]
                print(f"{python}: {part}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
                yield rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
