"""Run the tests with branch coverage of our Python, processes that the tests start included, and hold the bound.

With --fast: those that take less than ten seconds, without coverage.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOUND_PERCENT = 85
WORKERS = "3"  # they wait for processes most of the time
PLAIN = "not system and not cluster and not nightly"
"""The tests that need PyPI only, no root, and minutes: CONTRIBUTING.md has what the other markers stand for."""


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--fast"]:
        command = [sys.executable, "-m", "pytest", "-q", "-n", WORKERS, "-m", f"{PLAIN} and not slow"]
        return subprocess.run([*command, *arguments[1:]], cwd=ROOT, check=False).returncode
    data = ROOT / ".coverage-data"
    data.mkdir(exist_ok=True)
    for old in data.iterdir():
        old.unlink()
    # Processes under test run in other folders: they must find the settings and the data all the same.
    environment = os.environ | {
        "COVERAGE_RCFILE": str(ROOT / "pyproject.toml"),
        "MEMWARDEN_COVERAGE_FILE": str(data / "coverage"),
    }
    coverage = [sys.executable, "-m", "coverage"]
    # A file's tests stay together: they share what takes long to start.
    pytest = [*coverage, "run", "-m", "pytest", "-q", "-n", WORKERS, "--dist", "loadfile", "--durations=25"]
    pytest += ["--no-loadscope-reorder"]  # testpaths names the longest first
    tests = subprocess.run([*pytest, "-m", PLAIN, *arguments], cwd=ROOT, env=environment, check=False)
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, env=environment, check=True)
    report = subprocess.run(
        [*coverage, "report", f"--fail-under={BOUND_PERCENT}"], cwd=ROOT, env=environment, check=False
    )
    return tests.returncode or report.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
