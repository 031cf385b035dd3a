"""What the tests run against: a real HTTP server in the collector's place, real sidecars, real apps."""

import fcntl
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)

sys.path.insert(0, str(Path(__file__).parent))  # the module beside this one

from waiting import wait_for

from memwarden_api import names

TOKEN = "a-token-that-must-not-be-seen-0123456789"


class Receiver:
    """Decodes OTLP like a collector. `answer` gives (status, headers, body); a hang is one that waits."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []  # (path, batch id, inflated body) that were taken
        self.attempts: list[tuple[float, str, str]] = []  # (time, path, batch id), taken or not
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[str, str], tuple[int, dict[str, str], bytes]] = lambda path, batch: (
            200,
            {},
            b"",
        )
        self.released = threading.Event()
        self.connections: list[socket.socket] = []
        self.server: ThreadingHTTPServer | None = None
        self.port = 0

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                batch = self.headers[names.BATCH_ID_HEADER]
                receiver.attempts.append((time.monotonic(), self.path, batch))
                receiver.headers.append(dict(self.headers))
                status, headers, body = receiver.answer(self.path, batch)
                if status == 200:
                    assert self.headers["Content-Encoding"] == "gzip"
                    receiver.requests.append((self.path, batch, gzip.decompress(raw)))
                if status == 0:  # hang up without an answer: the acknowledgement is lost
                    receiver.requests.append((self.path, batch, gzip.decompress(raw)))
                    self.close_connection = True
                    return
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def process_request(self, request, client_address):
                receiver.connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, request, client_address):
                pass  # the peer hung up: some tests want it

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def hang(self, path: str, batch: str) -> tuple[int, dict[str, str], bytes]:
        self.released.wait(60)
        return 503, {}, b""

    def stop(self) -> None:
        """Nobody is let in any more, and kept connections end with what they are just asked."""
        self.released.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
        while self.connections:
            with suppress(OSError):  # it has ended by itself
                self.connections.pop().shutdown(socket.SHUT_RD)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metrics(self) -> list[ExportMetricsServiceRequest]:
        return [
            ExportMetricsServiceRequest.FromString(body)
            for path, _, body in tuple(self.requests)
            if path == names.METRICS_PATH
        ]

    def profiles(self) -> list[ExportProfilesServiceRequest]:
        return [
            ExportProfilesServiceRequest.FromString(body)
            for path, _, body in tuple(self.requests)
            if path == names.PROFILES_PATH
        ]

    def ids(self) -> Counter[str]:
        return Counter(batch for _, batch, _ in tuple(self.requests))

    def points(self, metric: str, pid: int | None = None) -> list[tuple[float, float]]:
        """(Unix seconds, value), in the order of time."""
        found = []
        for request in self.metrics():
            for resource in request.resource_metrics:
                if attributes_of(resource.resource).get(names.PROCESS_PID) != pid:
                    continue
                for scope in resource.scope_metrics:
                    for one in scope.metrics:
                        if one.name == metric:
                            for point in getattr(one, one.WhichOneof("data")).data_points:
                                value = getattr(point, point.WhichOneof("value"))
                                found.append((point.time_unix_nano / 1e9, value))
        return sorted(found)

    def last(self, metric: str, pid: int | None = None) -> float | None:
        points = self.points(metric, pid)
        return points[-1][1] if points else None

    def resources(self) -> list[dict]:
        """Attributes of all resources, in the order in which they came."""
        return [
            attributes_of(resource.resource)
            for request in self.metrics()
            for resource in request.resource_metrics
        ]

    def processes(self) -> dict[int, dict]:
        """Attributes of each process as they were last."""
        of_processes = (one for one in self.resources() if names.PROCESS_PID in one)
        return {one[names.PROCESS_PID]: one for one in of_processes}


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in any_value.array_value.values]
    return getattr(any_value, kind) if kind else None


def attributes_of(resource) -> dict:
    return {pair.key: value_of(pair.value) for pair in resource.attributes}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    one.start()
    yield one
    one.stop()


class Running:
    """A sidecar as a process of its own."""

    def __init__(
        self, folder: Path, url: str, options: list[str], preexec=None, token: str = TOKEN, env=None
    ) -> None:
        self.socket = folder / "probe.sock"
        self.ready = folder / "ready"
        self.log = folder / "sidecar.log"
        self.ready.unlink(missing_ok=True)
        arguments = [
            *(
                sys.executable,
                "-m",
                "memwarden_sidecar",
                "--scope-id",
                "scope",
                "--command-line",
                "app.py --x",
            ),
            *("--socket", str(self.socket), "--collector", url, "--ready-file", str(self.ready)),
            *("--interval", "0.2", *options),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stderr=log,
                stdout=log,
                env=os.environ | {names.ENV_TOKEN: token} | (env or {}),
                preexec_fn=preexec,
            )
        wait_for(lambda: self.ready.exists() or self.process.poll() is not None, what="the ready file")

    def tell(self, line: str) -> None:
        """Returns when it has read the line."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        wait_for(lambda: unread(self.process.stdin, termios.FIONREAD) == 0, what="a look at standard input")

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)  # it promises 5 s on a quiet machine
        self.process.stdin.close()
        return code

    def text(self) -> str:
        return self.log.read_text()

    def counts(self) -> dict[str, int]:
        """What it counted, from its last words: it has ended, and logs at `info`."""
        return json.loads(re.findall(r"ended; (\{.*\})", self.text())[-1])


@pytest.fixture
def sidecar(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(*options: str, url: str | None = None, **more) -> Running:
        running.append(Running(tmp_path, url or receiver.url, list(options), **more))
        return running[-1]

    yield start
    receiver.released.set()
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        with suppress(BrokenPipeError):
            one.process.stdin.close()


class App:
    """A Python program that says on stdout when it is where the test wants it."""

    def __init__(
        self, code: str, *, env: dict[str, str] | None = None, arguments: tuple[str, ...] = ()
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A tracer in the app would be measured as the app.
            env={k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")} | (env or {}),
            text=True,
        )
        self.pid = self.process.pid

    def line(self) -> str:
        """The next line that it prints."""
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                stream.close()


@pytest.fixture
def app() -> Iterator[Callable[..., App]]:
    running: list[App] = []

    def start(code: str, **more) -> App:
        running.append(App(code, **more))
        return running[-1]

    yield start
    for one in running:
        one.end()


def unread(sent_through, question: int) -> int:
    """How much of what was sent through a pipe (FIONREAD) or a Unix socket (TIOCOUTQ) the other end has not read."""
    return int.from_bytes(fcntl.ioctl(sent_through, question, bytes(4)), sys.byteorder)


class FakeProbe:
    """Speaks the socket's protocol by hand, for what a sane probe never sends."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(str(path))

    def hello(self, *descriptors: int, **more) -> None:
        parameters = {"protocol": 1, "pid": os.getpid(), "ppid": os.getppid(), "runtime": "cpython"}
        parameters |= {"version": "3.11.7", "capabilities": [], "reason": "a test"} | more
        message = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": parameters}
        self.send(json.dumps(message).encode() + b"\n", *descriptors)

    def send(self, data: bytes, *descriptors: int) -> None:
        if descriptors:
            socket.send_fds(self.socket, [data], list(descriptors))
        else:
            self.socket.sendall(data)

    def is_read(self) -> bool:
        """Whether all that was sent is."""
        return unread(self.socket, termios.TIOCOUTQ) == 0

    def answer(self) -> dict:
        data = b""
        while not data.endswith(b"\n"):
            chunk = self.socket.recv(65536)
            if not chunk:
                raise EOFError
            data += chunk
        return json.loads(data)

    def is_hung_up_on(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def fake_probe() -> Iterator[Callable[[Path], FakeProbe]]:
    made: list[FakeProbe] = []

    def dial(path: Path) -> FakeProbe:
        made.append(FakeProbe(path))
        return made[-1]

    yield dial
    for one in made:
        one.close()


PROBE = Path(__file__).parents[2] / "probes" / "python"


@pytest.fixture
def probe_env() -> Callable[[Path], dict[str, str]]:
    """Environment that starts the real probe; the test is skipped where it has not been built."""
    if not list((PROBE / "lib").glob("memwarden_hook-*.so")):
        pytest.skip("the Python probe is not built: make setup")

    def env(path: Path, sampling: int = 16384) -> dict[str, str]:
        return {
            names.ENV_SOCKET: str(path),
            names.ENV_SAMPLING_BYTES: str(sampling),
            names.ENV_CPU_BUDGET: "off",  # rates that no user has would be thinned
            "PYTHONPATH": str(PROBE / "inject"),
        }

    return env
