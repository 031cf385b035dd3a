"""A run of the command whose parts get hurt, and an app that gives an account of itself: nothing must show in it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness import TRACERS

from memwarden_api.report import Report

Found = TypeVar("Found")
PATIENCE = 240.0
PARTS = {"database": "postgres -D", "collector": "memwarden_collector", "sidecar": "memwarden_sidecar"}
# Works until its standard input ends; says then what it noticed: each turn is a piece of work and a short sleep.
STEADY = """
import sys, threading, time
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
kept, turns, longest = [], 0, 0.0
print("up", flush=True)
while not over.is_set():
    begun = time.monotonic()
    kept.append([str(turns * n) for n in range(300)])
    time.sleep(0.005)
    turns, longest = turns + 1, max(longest, time.monotonic() - begun)
print("worked" if turns > 5 else turns, "never held up" if longest < 10 else longest, flush=True)
sys.exit(3)
"""
UNDISTURBED = "up\nworked never held up\n"


def wait_for(condition: Callable[[], Found], what: str, seconds: float = PATIENCE) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)
    return found


class WatchedRun:
    """`memwarden run` on a program; ends with its standard input."""

    def __init__(
        self,
        folder: Path,
        command: list[str] | None = None,
        options: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._report = folder / "report.json"
        self._report.unlink(missing_ok=True)
        self.keep = folder / "run.mwrec"
        program = [sys.executable, "-P", "-m", "memwarden", "run", "--interval", "200ms", *options]
        files = ["--report", str(self._report), "--keep", str(self.keep)]
        # The app is the user's: our coverage must not be its weight. Our own parts keep it.
        app = ["env", *(word for name in TRACERS for word in ("-u", name)), *(command or steady())]
        self.process = subprocess.Popen(
            [*before, *program, *files, "--", *app],
            env={**os.environ, **(variables or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, process_group=0,
        )  # fmt: skip

    def await_app(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "up\n", (line, self.process.poll(), self.process.stderr and self.process.stderr.read())

    def pid_of(self, part: str) -> int:
        """Of a part that lives; waited for."""
        return wait_for(lambda: self._living(PARTS[part]), f"a living {part}")

    def _living(self, words: str) -> int:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return next((int(child) for child in children if words in command_line(int(child))), 0)

    def hurt(self, part: str, number: signal.Signals = signal.SIGKILL) -> int:
        os.kill(pid := self.pid_of(part), number)
        return pid

    def await_another(self, part: str, than: int) -> None:
        wait_for(lambda: self.pid_of(part) != than, f"another {part}")

    def folder(self) -> Path:
        """The run's own, where its socket and spool are."""
        words = command_line(self.pid_of("sidecar")).split()
        return Path(words[words.index("--spool") + 1]).parent

    def finish(self, seconds: float = PATIENCE) -> "Finished":
        out, err = self.process.communicate(timeout=seconds)
        assert self._report.exists(), (self.process.returncode, err)
        report = Report.model_validate(json.loads(self._report.read_text()))
        return Finished(self.process.returncode, out, err, report)

    def end_hard(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def steady() -> list[str]:
    return [sys.executable, "-c", STEADY]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


class Finished:
    """A run that has ended, and what has to hold for each of them."""

    def __init__(self, code: int, out: str, err: str, report: Report) -> None:
        self.code, self.out, self.err, self.report = code, out, err, report

    def assert_undisturbed(self) -> None:
        """By the app's own account."""
        assert (self.out, self.report.app_exit_code, self.code) == (UNDISTURBED[3:], 3, 3), self.err

    def assert_accounted_for(self) -> None:
        """Each batch is stored, or in one of the other columns with its number."""
        seen = self.report.delivery
        assert seen is not None, self.err
        assert seen.stored > 0
        assert seen.made == seen.stored + seen.refused + seen.lost + seen.undelivered
        if seen.made != seen.stored:
            assert any(f"Of {seen.made} batches of data" in note for note in self.report.notes)

    def faults(self, part: str) -> list[Any]:
        return [fault for fault in self.report.faults if fault.part == part]


def sample_times(keep: Path) -> dict[str, list[float]]:
    """When each series of a kept run has samples."""
    from memwarden_core.recording_file import read_recording

    with keep.open("rb") as stream:
        recording = read_recording(stream)
    return {str(key): [float(at) for at in series.time] for key, series in recording.series.items()}


def assert_each_once(keep: Path) -> None:
    for series, times in sample_times(keep).items():
        assert times == sorted(set(times)), series
