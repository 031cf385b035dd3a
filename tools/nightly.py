"""`make nightly`: the long tests and all benchmarks, and what came of them as docs/reference/nightly.md.

The tests are those with the marker `nightly`; a figure that one records (`record_property`) stands beside its name.
A benchmark stands there as it was printed. The page is written in any case; the exit code is 1 when anything failed.
With --add a part is run again, `tools/nightly.py --add --no-benchmarks -k stress -n 2` or
`tools/nightly.py --add --no-tests --benchmark judge_fleet`: its rows take the place of the earlier ones, and each row
says when it was run.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = {file.stem: file for file in sorted((ROOT / "benchmarks").glob("*.py"))}
PAGE = ROOT / "docs/reference/nightly.md"
KEPT = ROOT / "benchmarks/results/nightly.json"
NOW = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
TEST_SECONDS = 7200
BENCHMARK_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Test:
    """One case of the JUnit file that pytest wrote."""

    name: str
    outcome: str
    seconds: float
    figures: str
    at: str = NOW


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str
    code: int
    printed: str
    at: str = NOW
    load: float = 0.0
    """Processes that wanted to run as it began: with many, a bound in seconds says nothing. 0: not known."""


Row = TypeVar("Row", Test, Benchmark)


def run_tests(words: list[str]) -> list[Test]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "nightly", f"--timeout={TEST_SECONDS}"]
        subprocess.run([*command, f"--junit-xml={file}", *words], cwd=ROOT, check=False)
        if not file.exists():
            return [Test("pytest", "did not come to an end", 0.0, "")]
        cases = ElementTree.parse(file).iter("testcase")  # noqa: S314 – pytest's own
        return [
            _test(case) for case in cases if case.get("classname")
        ]  # a file that is skipped whole has none


def _test(case: ElementTree.Element) -> Test:
    outcome = next((one.tag for one in case if one.tag in ("failure", "error", "skipped")), "passed")
    figures = "; ".join(
        f"{one.get('name')} {one.get('value')}" for one in case.iterfind("properties/property")
    )
    reason = "" if outcome != "skipped" else (case[-1].get("message") or "")
    name = f"{case.get('classname', '').rpartition('.')[2]}: {case.get('name')}"
    return Test(name, outcome, float(case.get("time", "0")), figures or reason)


def run_benchmarks(files: list[Path]) -> Iterator[Benchmark]:
    for file in files:
        print(f"== {file.name}", flush=True)
        load = os.getloadavg()[0]
        try:
            done = subprocess.run(
                [sys.executable, str(file)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=BENCHMARK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            yield Benchmark(file.name, 124, f"it took longer than {BENCHMARK_SECONDS} s", load=load)
            continue
        print(done.stdout, flush=True)
        printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        yield Benchmark(file.name, done.returncode, printed, load=load)


def page(tests: list[Test], benchmarks: list[Benchmark]) -> str:
    lines = [
        "# The last long runs",
        "Written by `make nightly`: tests that take too long for every change, and the benchmarks. Times are UTC.",
        "",
        f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}.",
        "",
        "## Tests",
        "| test | outcome | seconds | figures | run |",
        "|---|---|---|---|---|",
        *(
            f"| {one.name.replace('|', '/')} | {one.outcome} | {one.seconds:.0f} | {one.figures.replace('|', '/')} "
            f"| {one.at} |"
            for one in tests
        ),
        "",
        "## Benchmarks",
    ]
    for one in benchmarks:
        ended = "" if one.code == 0 else f" (ended with {one.code})"
        printed = one.printed.strip().replace("```", "'''")
        beside = f", beside a load of {one.load:.0f}" if one.load else ""
        lines += [f"### {one.name}{ended}, {one.at}{beside}", "```text", printed, "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def kept() -> tuple[list[Test], list[Benchmark]]:
    """What earlier runs have left."""
    if not KEPT.exists():
        return [], []
    rows = json.loads(KEPT.read_text(encoding="utf-8"))
    return [Test(**row) for row in rows["tests"]], [Benchmark(**row) for row in rows["benchmarks"]]


def together(earlier: list[Row], now: list[Row]) -> list[Row]:
    """A row of the same name takes the earlier one's place."""
    rows = {one.name: one for one in (*earlier, *now)}
    return [rows[name] for name in sorted(rows)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-benchmarks", action="store_true", help="the tests only")
    parser.add_argument("--no-tests", action="store_true", help="the benchmarks only")
    parser.add_argument(
        "--benchmark", action="append", choices=sorted(BENCHMARKS), help="this one alone; may be repeated"
    )
    parser.add_argument("--add", action="store_true", help="to what earlier runs have left")
    chosen, words = parser.parse_known_args()
    tests = [] if chosen.no_tests else run_tests(words)
    benchmarks = (
        []
        if chosen.no_benchmarks
        else list(run_benchmarks([BENCHMARKS[name] for name in chosen.benchmark or BENCHMARKS]))
    )
    earlier = kept() if chosen.add else ([], [])
    rows = together(earlier[0], tests), together(earlier[1], benchmarks)
    document = {"tests": [asdict(one) for one in rows[0]], "benchmarks": [asdict(one) for one in rows[1]]}
    KEPT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(*rows), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    failed = [one.name for one in tests if one.outcome not in ("passed", "skipped")]
    failed += [one.name for one in benchmarks if one.code]
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
