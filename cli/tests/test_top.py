"""`memwarden top`: against real runs, in a real pseudo-terminal, with hostile names, in a terminal of 20 columns."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

APP = (
    "import time\n"
    "kept = []\n"
    "def keep():\n"
    "    kept.append(bytearray(600_000))\n"
    "while True:\n"
    "    keep()\n"
    "    time.sleep(0.1)\n"
)


# ── A run under way ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def running(clean: Any, tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Starts a run of a small program that grows, under way once its file of the registry is there."""
    script = tmp_path / "grower.py"
    script.write_text(APP)

    def start() -> subprocess.Popen[str]:
        return clean.start(  # type: ignore[no-any-return]
            "run",
            "--interval",
            "200ms",
            "--quiet",
            "--memory-limit",
            "4GiB",
            "--",
            sys.executable,
            str(script),
        )

    return start


def _end(run: subprocess.Popen[str]) -> None:
    run.send_signal(signal.SIGTERM)
    run.wait(240)


def _picture(bench: Any, *words: str) -> dict[str, Any] | None:
    """What --once --json says; None while there is nothing."""
    result = bench.memwarden("top", "--once", "--json", *words)
    return json.loads(result.out) if result.code == 0 else None


def _until_judged(bench: Any, eventually: Any, *words: str) -> dict[str, Any]:
    def judged() -> dict[str, Any] | None:
        picture = _picture(bench, *words)
        return picture if picture and picture["verdict"] and picture["sites"] else None

    found: dict[str, Any] = eventually(judged, 240)
    return found


def test_once_says_what_the_run_says(clean: Any, running: Any, eventually: Any) -> None:
    run = running()
    picture = _until_judged(clean, eventually)
    assert (picture["schema"], picture["state"], picture["run_pid"]) == (
        "memwarden.dev/top/v1",
        "live",
        run.pid,
    )
    assert picture["limit"] == {"bytes": 4 << 30, "source": "option"}
    [process] = picture["processes"]
    assert "grower.py" in process["command"]
    assert process["probe"] == "hooked"
    assert process["memory_bytes"] > 1_000_000
    assert process["history"]
    site = max(picture["sites"], key=lambda one: one["live_bytes"])
    assert (site["file"].rpartition("/")[2], site["line"], site["function"]) == ("grower.py", 4, "keep")
    page = clean.memwarden("top", "--once", "--pid", str(process["pid"]), COLUMNS="80")
    assert page.code == 0
    assert max(len(line) for line in page.out.splitlines()) <= 80
    assert re.search(r"of 4 GiB", page.out)
    assert re.search(r"grower\.py:4 +keep", page.out)
    narrow = clean.memwarden("top", "--once", COLUMNS="20")
    assert max(len(line) for line in narrow.out.splitlines()) <= 20
    nobody = clean.memwarden("top", "--once", "--pid", "1")
    assert nobody.code == 125
    assert "belongs to no run" in nobody.err
    _end(run)


def test_a_pipe_gets_a_line_each_second_until_the_run_ends(clean: Any, running: Any, eventually: Any) -> None:
    run = running()
    _until_judged(clean, eventually)
    top = clean.start("top")
    first = top.stdout.readline()
    assert re.match(r"\d\d:\d\d:\d\d  \w+  [\d.]+ MB of 4 GiB", first), first
    assert "1 process, the largest" in first
    assert re.match(r"\d\d:\d\d:\d\d  ", top.stdout.readline())
    _end(run)
    out, err = top.communicate(timeout=240)
    assert (top.returncode, err) == (0, "")
    assert "The run has ended." in out.splitlines()[-1]


def test_of_several_runs_one_is_chosen(clean: Any, running: Any, eventually: Any) -> None:
    first, second = running(), running()
    refused = eventually(
        lambda: next((r for r in [clean.memwarden("top", "--once")] if "there are 2" in r.err), None), 240
    )
    assert refused.code == 125
    assert f"--pid {first.pid}" in refused.err
    assert f"--pid {second.pid}" in refused.err
    picture = eventually(lambda: _picture(clean, "--pid", str(second.pid)))
    assert picture["run_pid"] == second.pid
    _end(first)
    _end(second)


def test_without_a_run_the_next_step_is_said(clean: Any) -> None:
    for words in ((), ("--once",), ("--once", "--json")):
        result = clean.memwarden("top", *words)
        assert (result.code, result.out) == (125, "")
        assert result.err == (
            "memwarden: no run of yours is under way here; start one with: memwarden run -- python app.py\n"
        )


def test_a_killed_runs_folder_is_no_run(clean: Any, running: Any, eventually: Any) -> None:
    run = running()
    eventually(lambda: _picture(clean), 240)
    app = _picture(clean)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert "no run of yours" in clean.memwarden("top", "--once").err
    for process in (app or {}).get("processes", ()):
        os.kill(process["pid"], signal.SIGKILL)
    eventually(lambda: not clean.ours())
    clean.memwarden("run", "--quiet", "--", "true")  # sweeps what the killed one left


# ── A real terminal ──────────────────────────────────────────────────────────────────────────────────────


class Screen:
    """`memwarden top` in a terminal of its own, and everything that it wrote there."""

    def __init__(self, environment: dict[str, str], rows: int, columns: int, *words: str) -> None:
        self.seen = ""
        command = [sys.executable, "-P", "-m", "memwarden", "top", *words]
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], command, environment)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, pattern: str, seconds: float = 120) -> None:
        """Read until `pattern` is in what came since the last call, without the escapes of the drawing."""
        deadline = time.monotonic() + seconds
        fresh = ""
        while not re.search(pattern, re.sub(r"\x1b\[[0-9;?<>=]*[A-Za-z$]", "", fresh)):
            assert time.monotonic() < deadline, f"{pattern!r} was not seen in {fresh[-3000:]!r}"
            fresh += self._read()
        self.seen += fresh

    def _read(self) -> str:
        if not select.select([self._master], [], [], 0.2)[0]:
            return ""
        try:
            return os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""

    def code(self, seconds: float = 120) -> int:
        """The exit code, once it has ended by itself."""
        deadline = time.monotonic() + seconds
        while True:
            self.seen += self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "it did not end"

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)


@pytest.fixture
def screen(clean: Any) -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def open_screen(rows: int, columns: int, *words: str, **changes: str) -> Screen:
        environment = clean.environment | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | changes
        opened.append(Screen(environment, rows, columns, *words))
        return opened[-1]

    yield open_screen
    for one in opened:
        one.close()


def test_a_terminal_shows_the_run_takes_keys_and_keeps_the_last_picture(screen: Any, running: Any) -> None:
    top = screen(24, 80)
    top.until("No run of yours is under way here")
    run = running()
    top.until(r"Processes \(1\)")
    top.until(r"grower\.py:4")
    top.type("?")
    top.until("Keys")
    top.type("\x1b")
    top.until("grower")
    _end(run)
    top.until("The run has ended")
    top.type("t")  # all is drawn again
    top.until(r"grower\.py")
    top.type("q")
    assert top.code() == 0
    assert "\x1b[?1049l" in top.seen, "the terminal is given back"
    assert "Traceback" not in top.seen


def test_twenty_columns_and_a_dumb_terminal(screen: Any, running: Any, clean: Any, eventually: Any) -> None:
    run = running()
    _until_judged(clean, eventually)
    narrow = screen(12, 20)
    narrow.until("MEMORY")
    narrow.type("\tq")
    assert narrow.code() == 0
    assert "Traceback" not in narrow.seen
    dumb = screen(24, 80, TERM="dumb")
    dumb.until(r"\d\d:\d\d:\d\d  \w+  [\d.]+ MB of 4 GiB")
    assert "\x1b" not in dumb.seen
    dumb.type("\x03")
    assert dumb.code() == 130
    _end(run)
