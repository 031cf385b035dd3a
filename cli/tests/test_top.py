"""`memwarden top`: against real runs, in a real pseudo-terminal, with hostile names, in a terminal of 20 columns."""

import asyncio
import fcntl
import io
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
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from memwarden.errors import Failed, Usage
from memwarden.top import lines, plain, targets
from memwarden.top.growth import growth_of
from memwarden.top.picture import to_json
from memwarden.top.watcher import Watcher
from memwarden.top.words import bar, cells, clean, fit, growth, span, spans, sparkline

HOSTILE = "evil\x1b]0;owned\x07\x1b[2J\r\n[red]x[/red]<b>\u202e\ud800 漢字" + "A" * 10_000
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
    run.wait(40)


def _picture(bench: Any, *words: str) -> dict[str, Any] | None:
    """What --once --json says; None while there is nothing."""
    result = bench.memwarden("top", "--once", "--json", *words)
    return json.loads(result.out) if result.code == 0 else None


def _until_judged(bench: Any, eventually: Any, *words: str) -> dict[str, Any]:
    def judged() -> dict[str, Any] | None:
        picture = _picture(bench, *words)
        return picture if picture and picture["verdict"] and picture["sites"] else None

    found: dict[str, Any] = eventually(judged, 60)
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
    out, err = top.communicate(timeout=30)
    assert (top.returncode, err) == (0, "")
    assert "The run has ended." in out.splitlines()[-1]


def test_of_several_runs_one_is_chosen(clean: Any, running: Any, eventually: Any) -> None:
    first, second = running(), running()
    refused = eventually(
        lambda: next((r for r in [clean.memwarden("top", "--once")] if "there are 2" in r.err), None), 60
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
    eventually(lambda: _picture(clean), 60)
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


# ── A collector that says what we want ───────────────────────────────────────────────────────────────────


class Collector:
    """The contract's answers over real HTTP; `stop` makes it go away."""

    def __init__(self, name: str, command: str, count: int = 3) -> None:
        self.name, self.command, self.count, self.requests = name, command, count, 0
        self.started = time.time() - 60
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                status, value = (
                    outer.answer(urlsplit(self.path).path, self.path)
                    if self.headers["Authorization"] == "Bearer secret"
                    else (401, {"title": "Unauthorized", "detail": "the bearer token is missing or wrong"})
                )
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def answer(self, path: str, whole: str) -> tuple[int, dict[str, Any]]:
        now = time.time()
        if path.endswith("/scopes"):
            return 200, {"items": [self._scope(now)], "next_cursor": None}
        assert unquote(path).startswith("/api/v1/scopes/shop/")
        if path.endswith("/verdict"):
            return 200, self._verdict()
        times = [self.started + second for second in range(int(now - self.started) + 1)]
        pids: list[int | None] = [None]
        if "process" in whole:
            pids = [101 + index for index in range(self.count)]
        items = [
            {"metric": whole.partition("metric=")[2].partition("&")[0], "pid": pid, "attribute": "", "unit": "By",
             "times": times, "values": [1e6 * ((pid or 0) + index) for index in range(len(times))]}
            for pid in pids
        ]  # fmt: skip
        return 200, {"items": items, "downsampled": False}

    def _scope(self, now: float) -> dict[str, Any]:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        return {"scope": "shop", "kind": "container", "command": self.command, "host": self.name,
                "interval_seconds": 1.0, "first_seen": moment, "last_seen": moment, "limit": None}  # fmt: skip

    def _verdict(self) -> dict[str, Any]:
        processes = [
            {"pid": 101 + index, "parent_pid": 1, "command": f"{self.command} {index}", "runtime": "", "ended_at": None,
             "probe": "outside" if index else "hooked", "probe_reason": self.name, "anon_bytes": 5}
            for index in range(self.count)
        ]  # fmt: skip
        sites = [
            {"pid": 101, "file": f"/srv/{self.name}.py", "line": 7 + index, "function": self.name,
             "live_bytes": 1000 * (index + 1), "growth_bytes_per_second": 10.0 - index}
            for index in range(3)
        ]  # fmt: skip
        return {"scope": "shop", "command": self.command, "headline": f"LEAKING: {self.name}", "verdict": "Leaking",
                "processes": processes, "sites": sites, "limit": {"bytes": 1 << 30, "source": "cgroup"},
                "anon_bytes": 7, "growth_bytes_per_second": 5e5,
                "oom_forecast_seconds": {"p10": 840.0, "p50": 900.0, "p90": 1020.0}}  # fmt: skip


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    opened: list[Collector] = []

    def start(name: str = "app", command: str = "/usr/bin/python app.py", count: int = 3) -> Collector:
        opened.append(Collector(name, command, count))
        return opened[-1]

    yield start
    for one in opened:
        one.stop()


def _origin(collector: Collector, token: str = "secret") -> targets.Origin:
    return targets.origin(None, collector.url, None, token)


def test_a_collector_is_asked_with_its_token_and_said_to_be_gone(collector: Any) -> None:
    there = collector()
    with pytest.raises(Failed, match="token is missing or wrong"):
        targets.the_only(_origin(there, "wrong"))
    watcher = Watcher(targets.the_only(_origin(there)))
    before = watcher.look()
    assert (before.state, len(before.processes), before.verdict) == ("live", 3, "Leaking")
    there.stop()
    after = watcher.look()
    assert after.state == "unreachable"
    assert after.processes == before.processes
    assert "does not answer" in after.notice


def test_hostile_names_stay_one_harmless_line(collector: Any) -> None:
    there = collector(HOSTILE.replace("\ud800", ""), HOSTILE.replace("\ud800", ""))
    target = targets.the_only(_origin(there))
    picture = Watcher(target).look()
    for width in (20, 33, 34, 56, 80, 131, 200):
        for line in plain.page(picture, width):
            assert line.isprintable(), line
            assert cells(line) <= width, (width, line)
    assert plain.line(picture).isprintable()
    assert to_json(picture).isascii()
    assert to_json(picture).isprintable()
    assert clean(HOSTILE).isprintable()
    assert len(clean(HOSTILE)) <= 400
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert plain.once(target, out, as_json=False) == 0


@pytest.mark.parametrize("size", [(80, 24), (20, 10), (20, 3), (7, 2), (200, 50)], ids=str)
def test_the_screen_holds_at_any_size_with_hostile_names(collector: Any, size: tuple[int, int]) -> None:
    there = collector(HOSTILE.replace("\ud800", ""), HOSTILE.replace("\ud800", ""), 60)

    async def look() -> None:
        async with _app(there).run_test(size=size) as pilot:
            await _until(lambda: bool(getattr(pilot.app.screen, "picture", None)))
            await pilot.press("?", "escape", "tab", "end", "/", "z", "escape", "t", "e", "pagedown")
            await pilot.resize_terminal(size[1], size[0])
            await pilot.pause()
            for strip in pilot.app.screen._compositor.render_strips():
                assert all(segment.text.isprintable() for segment in strip)

    asyncio.run(look())


def test_keys_sort_filter_choose_and_help(collector: Any) -> None:
    there = collector()

    async def use() -> None:
        from memwarden.top.app import Choice, Help, View
        from memwarden.top.table import Table

        async with _app(there).run_test(size=(100, 30)) as pilot:
            await _until(lambda: isinstance(pilot.app.screen, View) and bool(pilot.app.screen.picture))
            view = pilot.app.screen
            processes, sites = view.query_one("#processes", Table), view.query_one("#sites", Table)

            def keys(table: Table) -> list[str]:
                return [key for key, _ in table.content.rows]

            await _until(lambda: keys(processes) == ["103", "102", "101"])
            assert processes.key == "103", "the cursor starts at the largest"
            assert "outside only (app)" in sites.content.empty
            await pilot.press("p")
            assert keys(processes) == ["101", "102", "103"]
            assert processes.key == "103", "the cursor stays on its process"
            await pilot.click("#processes", offset=(5, 2))
            assert processes.key == "101", "the mouse moves the cursor"
            await pilot.press("r", "end")
            assert processes.key == "101"
            await _until(lambda: len(keys(sites)) == 3)
            assert [key.split(":")[1] for key in keys(sites)] == ["7", "8", "9"], "by growth"
            await pilot.press("enter", "m")
            assert sites.has_focus
            assert [key.split(":")[1] for key in keys(sites)] == ["9", "8", "7"]
            await pilot.press("slash", "1", "0", "2", "enter")
            await _until(lambda: keys(processes) == ["102"])
            await pilot.press("escape")
            await _until(lambda: len(keys(processes)) == 3)
            await pilot.press("question_mark")
            assert isinstance(pilot.app.screen, Help)
            await pilot.press("escape")
            there.stop()
            await _until(lambda: view.picture.state == "unreachable")
            assert len(keys(processes)) == 3, "the last picture stays"
            await pilot.press("b")
            await _until(lambda: isinstance(pilot.app.screen, Choice))
            await pilot.press("q")
            await _until(lambda: not pilot.app.is_running)

    asyncio.run(use())


def test_the_cursor_starts_at_the_process_of_the_option(collector: Any) -> None:
    there = collector()

    async def look() -> None:
        from memwarden.top.app import TopApp
        from memwarden.top.table import Table

        async with TopApp(_origin(there), chosen_pid=102).run_test(size=(80, 24)) as pilot:
            await _until(lambda: bool(getattr(pilot.app.screen, "picture", None)))
            table = pilot.app.screen.query_one("#processes", Table)
            await _until(lambda: len(table.content.rows) == 3)
            assert table.key == "102"

    asyncio.run(look())


def test_a_collector_is_asked_no_more_than_it_need_be(collector: Any) -> None:
    there = collector()

    async def watch() -> None:
        async with _app(there).run_test(size=(80, 24)) as pilot:
            await _until(lambda: bool(getattr(pilot.app.screen, "picture", None)))
            before, begun = there.requests, time.monotonic()
            await _until(lambda: there.requests >= before + 6)
            assert time.monotonic() - begun > 1.0, "at most three requests a look, a look a second"

    asyncio.run(watch())


def _app(collector: Collector) -> Any:
    from memwarden.top.app import TopApp

    return TopApp(_origin(collector))


async def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


# ── Words and numbers ────────────────────────────────────────────────────────────────────────────────────


def test_growth_is_of_the_floors() -> None:
    seconds = [float(second) for second in range(120)]
    assert growth_of(seconds, [1e6 * second for second in seconds]) == pytest.approx(1e6, rel=0.01)
    sawtooth = [5e7 + 4e6 * (second % 10) for second in seconds]
    assert abs(growth_of(seconds, sawtooth) or 0.0) < 1e5
    assert growth_of(seconds[:5], sawtooth[:5]) is None
    assert growth_of([], []) is None


def test_words() -> None:
    assert fit("漢字漢字", 5) == "漢字…"
    assert fit("/a/long/path.py", 8, "end") == "…path.py"
    assert [cells(fit("漢字漢字", width)) for width in range(6)] == list(range(6))
    assert sparkline([1, 2, 3, 4], 6) == "  ▁▃▆█"
    assert sparkline([100.0, 100.1, 100.0], 3) == "▁▁▁"
    assert (sparkline([], 3), bar(0.5, 4), bar(9.0, 4)) == ("   ", "██░░", "████")
    assert (span(45), span(840), span(3 * 86_400)) == ("45 s", "14 min", "3 days")
    assert (spans(840, 1020), spans(90, 7300), spans(60, 60)) == ("14–17 min", "90 s–2 h", "60 s")
    assert growth(100.0, 1e8, 60) == "steady"
    assert growth(5e5, 1e8, 60) == "+30 MB/min"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ((None, "ftp://x", None), "not a URL"),
        ((None, "http://x:99999", None), "not a URL"),
        ((None, "http://x\x1b[2J", None), "not a URL"),
        ((4, "http://x", None), "--pid belongs"),
        ((None, None, "shop"), "--scope belongs"),
        ((0, None, None), "greater than zero"),
    ],
)
def test_options_that_make_no_sense(words: tuple[Any, Any, Any], cause: str) -> None:
    with pytest.raises(Usage, match=cause) as caught:
        targets.origin(*words, "")
    assert str(caught.value).isprintable()


def test_help_is_quick_and_needs_no_textual() -> None:
    code = (
        "import sys, contextlib, io\nfrom memwarden.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main(['--help'])\n"
        "print([name for name in ('textual', 'rich', 'numpy', 'memwarden.top.watcher') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_verdict_has_a_sign_of_its_own() -> None:
    from typing import get_args

    from memwarden.top.words import MARKS
    from memwarden_api.report import VerdictName

    assert set(MARKS) == set(get_args(VerdictName))
    assert len({mark for mark, _ in MARKS.values()}) == len(MARKS)
    assert lines.MARKS is MARKS
