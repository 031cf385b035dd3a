"""The screens of `memwarden top`, on a collector that says what we want: hostile names, any size, keys."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from memwarden.errors import Failed
from memwarden.top import plain, targets
from memwarden.top.picture import to_json
from memwarden.top.watcher import Watcher
from memwarden.top.words import cells, clean

HOSTILE = "evil\x1b]0;owned\x07\x1b[2J\r\n[red]x[/red]<b>\u202e\ud800 漢字" + "A" * 10_000


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
        from memwarden.top.choice import Choice
        from memwarden.top.keys import Help
        from memwarden.top.table import Table
        from memwarden.top.view import View

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
            await _until(lambda: there.requests >= before + 9)
            # Three looks: two seconds, less what a busy machine made late.
            assert time.monotonic() - begun > 1.0, "at most three requests a look, a look a second"

    asyncio.run(watch())


def _app(collector: Collector) -> Any:
    from memwarden.top.app import TopApp

    return TopApp(_origin(collector))


async def _until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
