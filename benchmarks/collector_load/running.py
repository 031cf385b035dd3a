"""What is measured: PostgreSQL as `memwarden run` sets it, the collector as its own process, and what they take."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from memwarden.database import server

_TICK = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 240
"""On a crowded machine a start of some seconds takes minutes."""
_ANSWER_SECONDS = 600


@dataclass(slots=True)
class Collector:
    """A running collector and its database."""

    url: str
    database_url: str
    process: "subprocess.Popen[bytes]"
    server_pid: int
    log: Path
    grpc: str = ""

    def cpu(self) -> float:
        """CPU seconds of the collector so far."""
        return cpu_of(self.process.pid)

    def database_cpu(self) -> float:
        """CPU seconds of PostgreSQL, all of its processes, so far."""
        return cpu_of(self.server_pid, with_children=True)

    def memory(self) -> int:
        """Resident bytes of the collector."""
        return memory_of(self.process.pid)

    def counts(self) -> dict[str, float]:
        """Its own numbers, as /metrics has them."""
        text = httpx.get(f"{self.url}/metrics", timeout=_ANSWER_SECONDS, trust_env=False).text
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("set search_path = memwarden")
            return connection.execute(query.encode(), values).fetchall()


def cpu_of(pid: int, *, with_children: bool = False) -> float:
    """User and system time in seconds; with those of children that ended and that live."""
    total = _times(pid, with_children)
    if with_children:
        for child in children(pid):
            total += _times(child, True)
    return total / _TICK


def memory_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


def _times(pid: int, with_children: bool) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(one) for one in fields[11 : 15 if with_children else 13])


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found


@contextmanager
def serving(folder: Path) -> Iterator[server.Server]:
    """A new PostgreSQL in a folder that is there, on a short path: it holds a socket."""
    (folder / "db").mkdir()
    running = server.start(folder / "db")
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def database() -> Iterator[tuple[str, int, Path]]:
    """URL, process id and folder of a new PostgreSQL."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mwl") as name, serving(Path(name)) as running:
        yield running.url, running.child.pid, Path(name)


@contextmanager
def collector(*options: str, database_options: Sequence[str] = ()) -> Iterator[Collector]:
    """Both, empty. Nothing is judged unless `options` say so: it would share the core."""
    with database() as (url, pid, folder):
        for option in database_options:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"alter system set {option}".encode())
                connection.execute("select pg_reload_conf()")
        with started(url, pid, folder, *options) as running:
            yield running


@contextmanager
def started(url: str, server_pid: int, folder: Path, *options: str) -> Iterator[Collector]:
    """A collector on a database that is there."""
    port_file, log = folder / "port", folder / "collector.log"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "memwarden_collector", "--database-url", url, "--listen", "127.0.0.1:0"]
    command += ["--port-file", str(port_file), "--grpc-listen", "off", "--judge-every-intervals", "1000000"]
    command += ["--max-scope-points-per-second", "0", *options]
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr)
    try:
        until = time.monotonic() + _START_SECONDS
        while not port_file.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, f"the collector is not ready:\n{log.read_text()[-3000:]}"
            time.sleep(0.02)
        grpc = next(
            (
                line.split("listening on ")[1].split()[0]
                for line in log.read_text().splitlines()
                if "over gRPC" in line
            ),
            "",
        )
        yield Collector(port_file.read_text().strip(), url, process, server_pid, log, grpc)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(slots=True)
class Use:
    """What a stretch of time took."""

    seconds: float = 0.0
    cpu: float = 0.0
    database_cpu: float = 0.0
    memory: int = 0
    """The most that was seen, in bytes."""
    memories: list[tuple[float, int]] = field(default_factory=list)
    """Each second: seconds since the start, resident bytes."""


@contextmanager
def measured(running: Collector) -> Iterator[Use]:
    """CPU and memory of both from here to the end of the block."""
    use, over = Use(), threading.Event()
    began, cpu, database_cpu = time.perf_counter(), running.cpu(), running.database_cpu()

    def watch() -> None:
        while not over.is_set():
            use.memories.append((time.perf_counter() - began, running.memory()))
            over.wait(1)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield use
    finally:
        use.seconds = time.perf_counter() - began
        use.cpu, use.database_cpu = running.cpu() - cpu, running.database_cpu() - database_cpu
        over.set()
        watcher.join()
        use.memory = max(memory for _, memory in use.memories)
