"""The measured programs: a web service under load, or a loop; each told how much to do, each asked what CPU it took."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from overhead.load import Load

APPS: Final = Path(__file__).with_name("apps")
PROGRAM_CORE: Final = 0
READY_SECONDS: Final = 60.0


class Program(Protocol):
    """Started, warm, and idle between two works."""

    def work(self, count: int) -> float:
        """CPU seconds for `count` requests or loops."""

    def memory(self) -> dict[str, int]:
        """Bytes of all its processes, by the kernel's names."""

    def stop(self) -> None:
        """End it, and wait for the end."""


def on_core(core: int, command: Sequence[str]) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command]


@dataclass
class Loop:
    """A loop of apps/loops.py."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, python: Path, name: str, environment: Mapping[str, str], folder: Path) -> "Loop":
        command = on_core(PROGRAM_CORE, [str(python), str(APPS / "loops.py"), name])
        process = subprocess.Popen(
            command, env=environment, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the loop {name} ended as it started")
        return cls(process)

    def work(self, count: int) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()) / 1e9

    def memory(self) -> dict[str, int]:
        return memory_of(self.process.pid)

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(READY_SECONDS)


SERVERS: Final[Mapping[str, Sequence[str]]] = {
    "Flask on gunicorn": (
        "-m", "gunicorn", "--workers", "1", "--worker-class", "gthread", "--threads", "2",
        "--keep-alive", "600", "--bind", "127.0.0.1:{port}", "--log-level", "error",
        "--no-control-socket", "flask_shop:app",
    ),
    "FastAPI on uvicorn": (
        "-m", "uvicorn", "--port", "{port}", "--http", "httptools", "--loop", "asyncio",
        "--timeout-keep-alive", "600", "--log-level", "error", "--no-access-log", "fastapi_shop:app",
    ),
}  # fmt: skip


@dataclass
class WebService:
    """One of SERVERS."""

    process: subprocess.Popen[bytes]
    load: Load
    family: list[int] = field(default_factory=list)

    @classmethod
    def start(
        cls, python: Path, name: str, environment: Mapping[str, str], folder: Path, before: Sequence[str] = ()
    ) -> "WebService":
        port = free_port()
        words = [word.format(port=port) for word in SERVERS[name]]
        process = subprocess.Popen(
            on_core(PROGRAM_CORE, [*before, str(python), *words]),
            env={**environment, "PYTHONPATH": with_apps(environment)},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if before else None,
        )
        service = cls(process, Load(port))
        service._await(port)
        return service

    def _await(self, port: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not get ready") from None
                time.sleep(0.05)
        self.load.closed(4)  # the worker is there, and all connections
        self.family = family(self.process.pid)

    def work(self, count: int) -> float:
        before = self.cpu_seconds()
        self.load.closed(count)
        return self.cpu_seconds() - before

    def cpu_seconds(self) -> float:
        return sum(cpu_of(pid) for pid in self.family)

    def memory(self) -> dict[str, int]:
        return memory_of(self.family[-1])

    def stop(self) -> None:
        self.load.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def with_apps(environment: Mapping[str, str]) -> str:
    """PYTHONPATH with the folder of the apps at its end."""
    return os.pathsep.join(part for part in (environment.get("PYTHONPATH", ""), str(APPS)) if part)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and its children; the last is the one that works."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def cpu_of(pid: int) -> float:
    """CPU seconds of all threads, as exactly as the scheduler books them: a few nanoseconds, not clock ticks."""
    return (
        sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def memory_of(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def shuffled(names: Sequence[str]) -> list[str]:
    return random.sample(list(names), len(names))
