"""Measures everything, prints tables, keeps the result, and compares it with its bounds.

The exit code is 1 when a bound does not hold: of a web service by the upper end of the 95 % interval.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from overhead import environments, instructions, measures, page
from overhead.programs import SERVERS
from overhead.variants import LOAD_CORE, sidecars

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks" / "results" / "overhead.json"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="probe_overhead.py", description=__doc__)
    parser.add_argument("--python", action="append", help="an interpreter; may be repeated")
    parser.add_argument("--rounds", type=int, default=40, help="pairs of fresh processes (%(default)s)")
    parser.add_argument("--other-rounds", type=int, default=15, help="of the other profilers (%(default)s)")
    parser.add_argument("--only", default="", help="parts whose name has this in it")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--keep", type=Path, help="keep the result in this file")
    parser.add_argument(
        "--add", action="store_true", help="add to what --keep holds, in place of the same rows"
    )
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
        "interpreters": json.loads(options.keep.read_text())["interpreters"] if options.add else [],
    }
    for interpreter in options.python or measures.interpreters():
        python = environments.prepare(interpreter)
        versions = environments.versions(python)
        result = next((known for known in found["interpreters"] if known["versions"] == versions), None)
        if result is None:
            found["interpreters"].append(result := {"versions": versions, "parts": []})
        for rows in _measured(python, options):
            again = {_identity(row) for row in rows}
            result["parts"] = [row for row in result["parts"] if _identity(row) not in again] + rows
            if options.keep:
                options.keep.parent.mkdir(parents=True, exist_ok=True)
                options.keep.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1) if options.json else page.tables(found))
    missed = page.missed(found)
    for sentence in missed:
        print(sentence, file=sys.stderr)
    return 1 if missed else 0


def _identity(row: dict) -> tuple:
    """What a row says something about: measured again, it takes the place of the one before."""
    return row["part"], row["figure"], row.get("variant")


def _measured(python: Path, options: argparse.Namespace) -> Iterator[list[dict]]:
    """The rows of each part, as soon as it is done."""
    with tempfile.TemporaryDirectory(prefix="mwo") as name, sidecars(Path(name)) as running:
        bench = measures.Bench(python, Path(name), running, options.rounds, options.other_rounds)
        for name, part, measure in _steps(bench):
            if options.only in name:
                begun = time.monotonic()
                rows = [{"part": part, **row} for row in measure()]
                print(f"{python}: {name}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
                yield rows


def _steps(bench: measures.Bench) -> Iterator[tuple[str, str, Callable[[], Iterator[measures.Row]]]]:
    """What --only picks by name, the part that its rows are of, and how to get them: what is ours first."""
    yield "ours: start", "start", bench.start_up
    yield "ours: tables", "tables", bench.full_tables
    things = [("web", name) for name in SERVERS] + [("loop", name) for name in measures.LOOPS]
    for kind, name in things:
        yield f"ours: {kind} {name}", f"{kind} {name}", partial(getattr(bench, kind), name)
    for _, name in things:
        yield f"ours: instructions {name}", f"instructions {name}", partial(instructions.count, bench, name)
    for kind, name in things:
        yield f"others: {kind} {name}", f"{kind} {name}", partial(getattr(bench, f"{kind}_beside"), name)
