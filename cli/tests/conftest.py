"""Real runs of the command, each with a temporary folder of its own that must be empty afterwards."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# Ignored where the tests were started with nohup, or in the background of a script, and inherited: Ctrl-C and a closed
# terminal would then end nobody.
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

MEMWARDEN = (sys.executable, "-P", "-m", "memwarden")
RUN_SECONDS = 240  # a busy machine is no failure


@dataclass
class Result:
    code: int
    out: str
    err: str


@dataclass
class Bench:
    """A temporary folder for runs, and what is needed to look at them."""

    temporary: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, **changes: str) -> subprocess.Popen[str]:
        """Start `memwarden …` in a process group of its own."""
        process = subprocess.Popen(
            [*MEMWARDEN, *words],
            env=self.environment | changes,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], stdin: str = "") -> Result:
        out, err = process.communicate(stdin, timeout=RUN_SECONDS)
        return Result(process.returncode, out, err)

    def memwarden(self, *words: str, stdin: str = "", **changes: str) -> Result:
        return self.finish(self.start(*words, **changes), stdin)

    def left(self) -> list[str]:
        """What runs left in the temporary folder."""
        return sorted(path.name for path in self.temporary.iterdir())

    def ours(self) -> dict[int, str]:
        """Living processes that have this bench's folder in their command line, by pid."""
        return {pid: line for pid, line in processes().items() if str(self.temporary) in line}

    def living(self, part: str) -> list[int]:
        """Processes of the whole machine with `part` in their command lines."""
        return [pid for pid, line in processes().items() if part in line]

    def backend(self, part: str) -> int:
        """The pid of a part of the run under way."""
        return int(wait_for(lambda: next((pid for pid, line in self.ours().items() if part in line), 0)))


def processes() -> dict[int, str]:
    """Command lines of all living processes."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line:
                found[int(entry.name)] = line
    return found


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return value


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One warm cache for all runs."""
    return tmp_path_factory.mktemp("cache") / "memwarden"


@pytest.fixture
def bench(cache: Path) -> Iterator[Bench]:
    temporary = Path(tempfile.mkdtemp(prefix="mwt"))  # short: sockets lie below it
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MEMWARDEN_", "PYTEST", "PYTHON"))
    }
    environment |= {"TMPDIR": str(temporary), "MEMWARDEN_CACHE": str(cache)}
    bench = Bench(temporary, environment)
    yield bench
    for process in bench.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    shutil.rmtree(temporary)


@pytest.fixture
def clean(bench: Bench) -> Iterator[Bench]:
    """A bench whose runs leave no file and no process."""
    yield bench
    wait_for(lambda: not bench.ours() and not bench.left())


@pytest.fixture
def eventually() -> Callable[..., object]:
    return wait_for
