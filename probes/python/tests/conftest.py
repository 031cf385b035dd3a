import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "sidecar" / "src")]

import interpreters  # noqa: E402
from interpreters import PROBE  # noqa: E402
from small_sidecar import Listener  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def library():
    """The shared object, built where it is missing or old."""
    # An older release's C library is older than what this machine's compiler links against; zig's target is the oldest.
    command = [sys.executable, str(PROBE / "build.py"), *(["--zig"] if interpreters.GIVEN else [])]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        pytest.fail(built.stderr)
    return Path(built.stdout.strip())


@pytest.fixture
def listener(tmp_path):
    with Listener(tmp_path / "s") as running:
        yield running


class Program:
    """A user's program under test, running in a real interpreter; its standard input says when to go on."""

    def __init__(self, command, environment, folder):
        self.process = subprocess.Popen(
            command, env=environment, cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            process_group=0,  # no session: that would be scheduled apart, and a stress take all from who looks on
        )  # fmt: skip
        self.pid = self.process.pid

    def line(self):
        """The next line that it prints."""
        text = self.process.stdout.readline().strip()
        assert text or self.process.poll() is None, self.process.stderr.read()
        return text

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self):
        out, err = self.process.communicate(timeout=240)  # some seconds of work, on a crowded machine minutes
        assert self.process.returncode == 0, err
        return out, err


@pytest.fixture
def environment(listener):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MEMWARDEN", "COVERAGE"))}
    # Without a budget: rates and censuses that no user has would be thinned. test_budget.py sets its own.
    ours = {"MEMWARDEN_SOCKET": listener.path, "MEMWARDEN_CPU_BUDGET": "off"}
    return {**clean, "PYTHONPATH": str(PROBE / "inject"), **ours}


@pytest.fixture
def run(tmp_path, environment):
    """Start a program: ``run("3.11", source)``.

    ``arguments`` replace the script's path, ``interpreter`` (a path) the version.
    """
    started = []

    def start(version, source="", arguments=None, options=(), interpreter=None, **variables):
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(source), encoding="utf-8")
        command = [interpreter or interpreters.need(version), *options, *(arguments or [str(script)])]
        program = Program(command, {**environment, **variables}, tmp_path)
        started.append(program)
        return program

    yield start
    for program in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)  # its children hold its pipes, too
        program.process.communicate()
