"""Fetching commands where the collector is old, away, slow or says nonsense; and what a command may look like."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from waiting import wait_for

from memwarden_sidecar.commands import fetcher as module
from memwarden_sidecar.commands.fetcher import Fetcher
from memwarden_sidecar.commands.order import Order, Result, orders
from memwarden_sidecar.export.destination import Destination
from memwarden_sidecar.export.link import Link

DATE = "Fri, 20 Nov 2026 12:00:00 GMT"


def item(**more) -> dict:
    return {
        "id": "0001",
        "container": "app",
        "pid": None,
        "kind": "Flush",
        "sampling_bytes": None,
        "expires_in_seconds": 60,
        "expires_at": "2026-11-20T12:00:40Z",
    } | more


def body(*items) -> bytes:
    return json.dumps({"items": items}).encode()


def test_an_order_is_read_by_the_clock_of_who_gave_it():
    assert orders(body(item()), DATE) == [Order("0001", "app", None, "Flush", 0, 40.0)]
    (order,) = orders(body(item(kind="SetSampling", sampling_bytes=4096, pid=7)), "no date")
    assert order == Order("0001", "app", 7, "SetSampling", 4096, 60.0)
    late = orders(
        body(item(expires_at="2026-11-20T11:00:00Z"), item(expires_at="2026-11-21T12:00:00Z")), DATE
    )
    assert [one.seconds for one in late] == [0.0, 60.0]


@pytest.mark.parametrize("broken", [item(id=7), item(container=None), item(kind=[]), 7, None, []])
def test_orders_that_make_no_sense_are_left_out(broken):
    assert [one.id for one in orders(body(broken, item(id="good", pid="x", sampling_bytes=True)), DATE)] == [
        "good"
    ]


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"items": 7}', b"\xff", b"7"])
def test_an_answer_that_holds_no_orders_is_an_error(text):
    with pytest.raises(ValueError):
        orders(text, DATE)


class Giver:
    """The collector's part: `answer` gives (status, headers, body) for each poll."""

    def __init__(self) -> None:
        self.polls: list[str] = []
        self.results: list[dict] = []
        self.tokens: set[str | None] = set()
        self.answer: Callable[[int], tuple[int, dict[str, str], bytes]] = lambda poll: (200, {}, body())
        self.released = threading.Event()
        giver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                giver.tokens.add(self.headers["Authorization"])
                giver.polls.append(self.path)
                self.tell(*giver.answer(len(giver.polls)))

            def do_POST(self):
                data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                giver.results.append(data | {"path": self.path})
                self.tell(204, {}, b"")

            def tell(self, status, headers, data):
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request, client_address):
                pass  # the sidecar hung up, as it may

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def giver() -> Iterator[Giver]:
    one = Giver()
    yield one
    one.stop()


@pytest.fixture
def fetching(giver: Giver, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Fetcher, threading.Event]]:
    monkeypatch.setattr(module, "_LEAST_SECONDS", 0.02)
    monkeypatch.setattr(module, "COMMAND_BACKOFF_SECONDS", (0.02, 0.1))
    woken = threading.Event()
    one = Fetcher(
        Link(Destination(f"http://127.0.0.1:{giver.server.server_port}/base", "secret")), "a/b c", woken.set
    )
    one.start()
    yield one, woken
    began = time.monotonic()
    one.close()
    assert time.monotonic() - began < 40  # one that hangs would take a minute


def test_what_comes_twice_is_done_once_and_answered_twice(giver, fetching):
    fetcher, woken = fetching
    giver.answer = lambda poll: (200, {"Date": DATE}, body(item()) if poll in (2, 3, 5) else body())
    assert woken.wait(120)
    (order,) = fetcher.received()
    fetcher.answer(Result(order.id, True, "é"))
    wait_for(lambda: len(giver.results) == 3)
    assert {(one["path"], one["done"], one["message"]) for one in giver.results} == {
        ("/base/api/v1/commands/0001/result", True, "é")
    }
    assert fetcher.received() == []
    assert set(giver.polls) == {"/base/api/v1/commands/next?pod_uid=a%2Fb%20c&wait=50"}
    assert giver.tokens == {"Bearer secret"}


def test_after_faults_of_every_kind_it_asks_on(giver, fetching):
    fetcher, woken = fetching
    faults = [
        (503, {"Retry-After": "0"}, b""),
        (500, {}, b"x"),
        (401, {}, b""),
        (200, {}, b"nonsense"),
        (429, {}, b""),
    ]

    def answer(poll):
        return faults[poll - 1] if poll <= len(faults) else (200, {"Date": DATE}, body(item()))

    giver.answer = answer
    assert woken.wait(120)
    fetcher.answer(Result(fetcher.received()[0].id, False, "no"))
    wait_for(lambda: giver.results)


def test_a_collector_without_commands_is_left_alone(giver, fetching):
    giver.answer = lambda poll: (404, {}, b"")
    wait_for(lambda: giver.polls)
    count = len(giver.polls)
    time.sleep(0.5)
    assert len(giver.polls) <= count + 1


def test_one_that_hangs_is_left_when_the_sidecar_ends(giver, fetching):
    def hang(poll):
        giver.released.wait(60)
        return 200, {}, body()

    giver.answer = hang
    wait_for(lambda: giver.polls)


def test_nobody_there_costs_nothing_but_a_thread(giver, fetching):
    giver.stop()
    time.sleep(0.3)
