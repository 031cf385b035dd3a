"""The app: started in our place in the terminal, with our standard streams, descriptors and process group.
After that nothing touches it but the signals that were meant for it.
"""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memwarden.errors import CommandError, NotExecutable, NotFound, reason
from memwarden.supervise.confinement import OURSELVES, before_exec

TERMINAL_STOPS: Final = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


@dataclass(slots=True)
class App:
    process: subprocess.Popen[bytes]
    started_at: float
    """Unix seconds."""

    @classmethod
    def start(
        cls, executable: str, command: Sequence[str], environment: Mapping[str, str], mask: frozenset[int]
    ) -> "App":
        """Raises NotFound or NotExecutable."""
        try:
            process = _execute(executable, command, environment, mask)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise _not_started(executable, error) from error
            # A script without a first line that names its interpreter: shells and execvp(3) give it to sh.
            process = _execute("/bin/sh", ("sh", executable, *command[1:]), environment, mask)
        return cls(process, time.time())

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> int | None:
        """Its exit code, -N when signal N ended it, None while it lives."""
        return self.process.poll()

    def stopped_by_terminal(self) -> signal.Signals | None:
        """The signal that stopped it just now, if it is one that terminals and shells stop programs with."""
        if self.process.returncode is not None:
            return None
        try:
            status = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG)
        except ChildProcessError:
            return None
        if status is None or status.si_status not in TERMINAL_STOPS:
            return None
        return signal.Signals(status.si_status)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def descendants(pid: int) -> tuple[int, ...]:
    """The process and all below it, as /proc shows them now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        todo.extend(children.get(current, ()))
    return tuple(found)


def _execute(
    executable: str, command: Sequence[str], environment: Mapping[str, str], mask: frozenset[int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        executable=executable,
        env=dict(environment),
        # Descriptors that we were given are the app's (a make jobserver, a socket); ours close by themselves.
        close_fds=False,
        preexec_fn=before_exec(OURSELVES, mask, None),
    )


def _not_started(executable: str, error: OSError) -> CommandError:
    if error.errno == errno.ENOENT and Path(executable).exists():
        return NotFound(
            f"{executable} can't be run: the interpreter in its first line does not exist; install it"
        )
    if error.errno == errno.ENOENT:
        return NotFound(f"the command {executable} was not found; check its path")
    return NotExecutable(f"{executable} can't be run: {reason(error)}; check the file")
