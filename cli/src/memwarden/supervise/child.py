"""A child of ours: database, collector, sidecar. It has a session of its own, so that no Ctrl-C reaches it, a
bounded log, and it dies when we die, however that happens.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from memwarden.errors import Failed, reason
from memwarden.supervise.confinement import OURSELVES, Identity, before_exec

LOG_LIMIT_BYTES: Final = 1 << 20
LOG_KEPT_BYTES: Final = 64 << 10
_POLL_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How a child is started."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    """Working directory, and where the log goes."""
    log: Path
    identity: Identity = OURSELVES
    death_signal: signal.Signals = signal.SIGKILL
    stdin_pipe: bool = False


@dataclass(slots=True)
class Child:
    """A started child. `end` may be called at any moment and any number of times."""

    spec: ChildSpec
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, spec: ChildSpec) -> "Child":
        """Raises Failed with a sentence when it can't be started. To be called by the main thread only."""
        try:
            with open(spec.log, "ab", opener=_for_us_alone) as log:
                process = subprocess.Popen(
                    list(spec.arguments),
                    env=dict(spec.environment),
                    cwd=spec.folder,
                    stdin=subprocess.PIPE if spec.stdin_pipe else subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    umask=0o077,
                    preexec_fn=before_exec(spec.identity, frozenset(), spec.death_signal),
                )
        except OSError as error:
            raise Failed(
                f"the {spec.name} could not be started: {reason(error)}; install Memwarden again, "
                "or free processes and memory"
            ) from error
        except subprocess.SubprocessError as error:  # preexec_fn failed: the rights are missing
            raise Failed(
                f"the {spec.name} could not be started {spec.identity.how.value}: the system refused it"
            ) from error
        return cls(spec, process)

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        """None while it lives; -N: ended by signal N."""
        return self.process.poll()

    def tell(self, line: str) -> None:
        """Write one line to its standard input and close it. A child that is gone is not an error."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            with suppress(BrokenPipeError), self.process.stdin as stdin:
                stdin.write(line.encode() + b"\n")

    def send(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def ask_to_end(self) -> None:
        """SIGTERM, without waiting."""
        self.send(signal.SIGTERM)

    def wait(self, timeout_seconds: float) -> bool:
        """Whether it ended within the time."""
        deadline = time.monotonic() + timeout_seconds
        while self.process.poll() is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def end(self, steps: Sequence[tuple[signal.Signals, float]]) -> None:
        """Send the signals of `steps` one after another, each with its time to obey, then SIGKILL."""
        for number, seconds in steps:
            self.send(number)
            if self.wait(seconds):
                break
        else:
            self.send(signal.SIGKILL)
            self.process.wait()
        if self.process.stdin is not None and not self.process.stdin.closed:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def trim_log(self) -> None:
        """Keep the log's end when it has grown over its bound. The child appends, so cutting is safe."""
        try:
            if self.spec.log.stat().st_size > LOG_LIMIT_BYTES:
                tail = self.log_tail(LOG_KEPT_BYTES)
                os.truncate(self.spec.log, 0)
                with self.spec.log.open("a", encoding="utf-8") as log:
                    log.write(f"(shortened by memwarden)\n{tail}\n")
        except OSError:
            return  # a log that can't be cut is no reason to disturb the run

    def log_tail(self, limit_bytes: int = 4096) -> str:
        """The end of what it wrote to its stderr."""
        try:
            with self.spec.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - limit_bytes))
                return log.read().decode(errors="replace").strip()
        except OSError:
            return ""

    def last_sentence(self) -> str:
        """The last line of the log, without the prefix that our parts put before their sentence."""
        lines = [line for line in self.log_tail().splitlines() if line.strip()]
        return lines[-1].split(": ", 1)[-1].strip() if lines else ""


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
