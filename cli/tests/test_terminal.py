"""A real terminal: the status line, Ctrl-C, Ctrl-Z, and what is left of it all afterwards."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROWS, COLUMNS = 24, 80
# What a shell does: a job with the terminal, told when it stops, put back, its exit code printed.
SHELL = """
import os, signal, subprocess, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
def defaults():
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    for number in (signal.SIGTTOU, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
before = termios.tcgetattr(0)
job = subprocess.Popen(sys.argv[1:], preexec_fn=defaults)
while True:
    _, status = os.waitpid(job.pid, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        break
    print("<stopped>", flush=True)
    sys.stdin.readline()
    os.tcsetpgrp(0, job.pid)
    os.killpg(job.pid, signal.SIGCONT)
code = os.waitstatus_to_exitcode(status)
print("<ended %d, modes %s>" % (code, termios.tcgetattr(0) == before), flush=True)
"""


class Terminal:
    """A program in a terminal of its own, and what it has written there."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.seen = ""
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execvpe(command[0], command, environment)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, pattern: str, seconds: float = 240) -> None:
        """Read until `pattern` is seen in what came since the last call."""
        deadline = time.monotonic() + seconds
        fresh = ""
        while not re.search(pattern, fresh):
            assert time.monotonic() < deadline, f"{pattern!r} was not seen in {fresh!r}"
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    read = os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    read = ""
                fresh += read
                self.seen += read

    def close(self) -> None:
        os.close(self._master)  # hangs up
        os.waitpid(self._pid, 0)


@pytest.fixture
def terminal(clean: Any) -> Iterator[Any]:
    opened = []

    def open_terminal(*command: str) -> Terminal:
        words = [sys.executable, "-c", SHELL, sys.executable, "-P", "-m", "memwarden", "run", *command]
        opened.append(Terminal(words, clean.environment | {"TERM": "xterm"}))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_the_status_line_comes_and_goes_and_control_c_is_the_apps(terminal: Any, tmp_path: Path) -> None:
    code = (
        "import time\n"
        "try:\n"
        "    time.sleep(600)\n"
        "except KeyboardInterrupt:\n"
        "    print('caught once')\n"
        "    time.sleep(1)\n"
    )
    screen = terminal("--", sys.executable, "-c", code)
    screen.until(r"memwarden ▸ 1 process · [\d.]+ MB")
    assert f"\x1b[1;{ROWS - 1}r" in screen.seen, "the last row is taken out of the scrolling region"
    screen.type("\x1a")
    screen.until("<stopped>")
    assert _region_is_whole(screen.seen)
    screen.type("\n")
    screen.until("memwarden ▸")
    screen.type("\x03")
    screen.until("caught once")
    screen.until(r"<ended 0, modes True>")
    assert screen.seen.count("caught once") == 1
    assert "cost of watching" in screen.seen
    assert _region_is_whole(screen.seen)


def test_an_app_that_reads_keys_has_the_terminal_for_itself(terminal: Any) -> None:
    code = (
        "import sys, termios, tty, time\n"
        "old = termios.tcgetattr(0)\n"
        "tty.setcbreak(0)\n"
        "print('keys', flush=True)\n"
        "time.sleep(3)\n"
        "termios.tcsetattr(0, termios.TCSANOW, old)\n"
        "print('lines', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    screen = terminal("--", sys.executable, "-c", code)
    screen.until("keys")
    before = len(screen.seen)  # on a busy machine the line may have come before the app read keys
    screen.until("lines")
    assert "▸" not in screen.seen[before:].partition("lines")[0]
    screen.until("memwarden ▸")
    screen.type("\n")
    screen.until("<ended 0, modes True>")


def test_quiet_writes_nothing(terminal: Any) -> None:
    screen = terminal("--quiet", "--", "sleep", "2")
    screen.until("<ended 0, modes True>")
    assert screen.seen.startswith("<ended")


def test_a_terminal_that_is_closed_ends_app_and_command(clean: Any, terminal: Any) -> None:
    screen = terminal("--", "sleep", "4245")
    screen.until("memwarden ▸")
    # `clean` sees that nothing of it lives on once the fixture has closed the terminal.


def _region_is_whole(seen: str) -> bool:
    """Whether the last thing said about the scrolling region is that it is the whole screen."""
    regions = re.findall(r"\x1b\[([\d;]*)r", seen)
    return bool(regions) and regions[-1] == ""
