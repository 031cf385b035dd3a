"""What the tests of the whole way share: how a run is started, and which interpreters this machine has."""

import atexit
import glob
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memwarden.run.port import ReservedPort

ROOT = Path(__file__).resolve().parent.parent
APPS = ROOT / "e2e" / "apps" / "python"
# Our own processes are traced, the user's are not: a tracer would be watched and judged with the app.
TRACERS = [name for name in os.environ if name.startswith("COVERAGE")]
WITHOUT_COVERAGE = ["env", *(word for name in TRACERS for word in ("-u", name))] if TRACERS else []


def interpreter(version: str) -> str | None:
    """Return a CPython of `version` ("3.13"): the running one, pyenv's, or the system's; None where there is none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [
        *sorted(glob.glob(str(pyenv / "versions" / f"{version}.*" / "bin" / "python"))),
        shutil.which(f"python{version}") or "",
    ]
    for candidate in candidates:
        if candidate and _answers(candidate, version):
            return candidate
    return None


def _answers(executable: str, version: str) -> bool:
    # A shim of a version manager may be there and still refuse.
    asked = subprocess.run(
        [executable, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.returncode == 0 and asked.stdout.strip() == version


def line_of(app: str, text: str) -> int:
    """Return the number of the one line of an app that holds `text`."""
    lines = (APPS / f"{app}.py").read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, start=1) if text in line)
    return number


@dataclass(frozen=True)
class Finished:
    """A run that has ended."""

    exit_code: int
    stdout: str
    stderr: str
    report: dict[str, Any]

    @property
    def verdict(self) -> dict[str, Any]:
        (verdict,) = self.report["verdicts"]
        return verdict


class Run:
    """`memwarden run` on a command, in its own folder."""

    def __init__(self, folder: Path, options: list[str], command: list[str], cwd: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._report = folder / "report.json"
        memwarden = [sys.executable, "-m", "memwarden", "run", *options, "--report", str(self._report)]
        self._process = subprocess.Popen(
            [*memwarden, "--", *WITHOUT_COVERAGE, *command],
            cwd=cwd or folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> None:
        """End it, where a test failed before it was waited for."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate(timeout=30)

    def interrupt(self) -> None:
        """SIGTERM, which the command passes on to the program."""
        self._process.terminate()

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self, timeout: float) -> Finished:
        try:
            stdout, stderr = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the run did not end within {timeout} s")
        if not self._report.exists():
            pytest.fail(f"no report; exit code {self._process.returncode}; stderr:\n{stderr}")
        return Finished(self._process.returncode, stdout, stderr, json.loads(self._report.read_text()))


def free_port() -> int:
    """One on which only who is told may listen, as long as this process lives."""
    reserved = ReservedPort()
    atexit.register(reserved.close)
    return int(reserved.address.rpartition(":")[2])
