"""`make nightly`: the long tests and all benchmarks, and what came of them as docs/reference/nightly.md.

The tests are those with the marker `nightly`; a figure that one records (`record_property`) stands beside its name.
A benchmark stands there as it was printed. The page is written in any case; the exit code is 1 when anything failed.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/nightly.md"
TEST_SECONDS = 7200
BENCHMARK_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Test:
    """One case of the JUnit file that pytest wrote."""

    name: str
    outcome: str
    seconds: float
    figures: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str
    code: int
    printed: str


def run_tests(words: list[str]) -> list[Test]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "nightly", f"--timeout={TEST_SECONDS}"]
        subprocess.run([*command, f"--junit-xml={file}", *words], cwd=ROOT, check=False)
        if not file.exists():
            return [Test("pytest", "did not come to an end", 0.0, "")]
        return [_test(case) for case in ElementTree.parse(file).iter("testcase")]  # noqa: S314 – pytest's own


def _test(case: ElementTree.Element) -> Test:
    outcome = next((one.tag for one in case if one.tag in ("failure", "error", "skipped")), "passed")
    figures = "; ".join(
        f"{one.get('name')} {one.get('value')}" for one in case.iterfind("properties/property")
    )
    reason = "" if outcome != "skipped" else (case[-1].get("message") or "")
    name = f"{case.get('classname', '').rpartition('.')[2]}: {case.get('name')}"
    return Test(name, outcome, float(case.get("time", "0")), figures or reason)


def run_benchmarks() -> Iterator[Benchmark]:
    for file in sorted((ROOT / "benchmarks").glob("*.py")):
        print(f"== {file.name}", flush=True)
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
            yield Benchmark(file.name, 124, f"it took longer than {BENCHMARK_SECONDS} s")
            continue
        print(done.stdout, flush=True)
        yield Benchmark(file.name, done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))


def page(tests: list[Test], benchmarks: list[Benchmark], seconds: float) -> str:
    lines = [
        "# The last long run",
        "Written by `make nightly`: tests that take too long for every change, and the benchmarks.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes, {platform.system()} "
        f"{platform.release()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "## Tests",
        "| test | outcome | seconds | figures |",
        "|---|---|---|---|",
        *(
            f"| {one.name.replace('|', '/')} | {one.outcome} | {one.seconds:.0f} | {one.figures.replace('|', '/')} |"
            for one in tests
        ),
        "",
        "## Benchmarks",
    ]
    for one in benchmarks:
        ended = "" if one.code == 0 else f" (ended with {one.code})"
        lines += [f"### {one.name}{ended}", "```text", one.printed.strip().replace("```", "'''"), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-benchmarks", action="store_true", help="the tests only")
    parser.add_argument("--no-tests", action="store_true", help="the benchmarks only")
    chosen, words = parser.parse_known_args()
    begun = time.monotonic()
    tests = [] if chosen.no_tests else run_tests(words)
    benchmarks = [] if chosen.no_benchmarks else list(run_benchmarks())
    PAGE.write_text(page(tests, benchmarks, time.monotonic() - begun), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    failed = [one.name for one in tests if one.outcome not in ("passed", "skipped")]
    failed += [one.name for one in benchmarks if one.code]
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
