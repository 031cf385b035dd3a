"""The three parts behind a run: database, collector, sidecar; how they start and end, and what happens when one of
them dies: it is started again, and that is said. The app never notices.
"""

import os
import secrets
import shlex
import signal
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memwarden.api import Api
from memwarden.errors import Failed, Interrupted
from memwarden.run import environment
from memwarden.run.folder import RunFolder
from memwarden.run.plan import Plan
from memwarden.run.port import ReservedPort
from memwarden.supervise.child import Child, ChildSpec
from memwarden.supervise.mailbox import Mailbox
from memwarden_api.names import ENV_TOKEN, EXIT_FAILED

if TYPE_CHECKING:
    from memwarden.database.server import Server

ENV_DATABASE_URL: Final = "MEMWARDEN_DATABASE_URL"
READY_SECONDS: Final = 90.0
SIDECAR_FLUSH_SECONDS: Final = 6.0
STARTS_AGAIN: Final = 6
STARTS_SECONDS: Final = 60.0
"""A part that dies more often than so in this time is left alone for a while."""
_POLL_SECONDS: Final = 0.005
_COMMAND_LINE_CHARACTERS: Final = 1024
_COLLECTOR_STOP: Final = ((signal.SIGTERM, 3.0),)


@dataclass(slots=True)
class Fault:
    """A part of ours ended before its time."""

    part: str
    how: str
    """`signal SIGKILL`, `exit code 1`."""
    at: float
    """Unix seconds."""
    started_again: bool = False
    trouble: str = ""
    """Why it could not be started again."""


def how(child: Child) -> str:
    code = child.exit_code()
    return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"


def _sentence(part: str, faults: list[Fault]) -> str:
    last = faults[-1]
    often = f" {len(faults)} times" if len(faults) > 1 else ""
    ways = ", ".join(dict.fromkeys(one.how for one in faults))
    said = f"The {part} ended{often} while the command ran ({ways})"
    if not last.started_again:
        return f"{said}; {last.trouble or 'it was not started again'}: what was seen after that is lost."
    if part == "sidecar":
        return f"{said} and was started again; no samples were taken in between."
    return f"{said} and was started again; what came in between was kept and sent later."


@dataclass(slots=True)
class Backend:
    """What is running for us. `end` ends all of it, also when it was started by half."""

    folder: RunFolder
    plan: Plan
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    scope: str = field(default_factory=lambda: str(uuid.uuid4()))
    url: str = ""
    socket: Path = Path()
    """Of the probes."""
    children: dict[str, Child] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    """Parts that ended before their time."""
    _server: "Server | None" = None
    _app_pid: int | None = None
    _asked_to_end: set[str] = field(default_factory=set)
    _down: dict[str, Fault] = field(default_factory=dict)
    """Parts that are not there now."""

    @property
    def api(self) -> Api:
        return Api(self.url, self.token, self.scope)

    def start(self, mailbox: Mailbox) -> None:
        """Start everything and wait until it is ready. Raises Failed or Interrupted."""
        deadline = time.monotonic() + READY_SECONDS
        database_url = self.plan.database_url or self._start_database()
        port = ReservedPort()
        try:
            self.url = f"http://{port.address}"
            url_file, ready_file = self._ready_files["collector"], self._ready_files["sidecar"]
            self._start_collector(database_url, port.address, url_file)
            self._start_sidecar(ready_file)
            self._await("collector", url_file, mailbox, deadline)
            self._await("sidecar", ready_file, mailbox, deadline)
        finally:
            port.close()

    def app_started(self, pid: int) -> None:
        self._app_pid = pid
        self.children["sidecar"].tell(f'{{"pid": {pid}}}')

    # ── While it runs ────────────────────────────────────────────────────────────────────────────────

    def fallen(self) -> tuple[str, ...]:
        """Parts that have ended without having been asked to."""
        return tuple(
            name
            for name, child in self.children.items()
            if name not in self._asked_to_end and child.exit_code() is not None
        )

    def watch(self) -> None:
        """Start again what died, keep the logs bounded. The app is not disturbed by any of it.

        Children are started by a process with one thread only: while there are more, it waits for the next time.
        """
        for child in self.children.values():
            child.trim_log()
        for name in self.fallen():
            if name not in self._down:
                self._note_fault(name)
            if threading.active_count() == 1 and self._may_start_again(name):
                self._start_again(name)

    def is_whole(self) -> bool:
        """Whether all parts are there and ready; what is not gets started again."""
        self.watch()
        return not self.fallen() and all(self._is_ready(name) for name in self.children)

    def ask_to_end(self, name: str) -> Child:
        """It may end from now on; returns it."""
        self._asked_to_end.add(name)
        child = self.children[name]
        child.ask_to_end()
        return child

    def note_end(self, name: str) -> None:
        """It has ended as it was asked to; where somebody killed it meanwhile, that is kept."""
        code = self.children[name].exit_code()
        if code is not None and code < 0:
            self._note_fault(name)

    def start_once_more(self, name: str) -> None:
        """One that has ended as it was asked to, or was killed over it."""
        self._asked_to_end.discard(name)
        if name in self._down:
            self._start_again(name)
        else:
            self._renew(name)

    def losses(self) -> tuple[str, ...]:
        """One sentence for each part that died, however often."""
        return tuple(_sentence(name, [fault for fault in self.faults if fault.part == name])
                     for name in dict.fromkeys(fault.part for fault in self.faults))  # fmt: skip

    @property
    def spool(self) -> Path:
        return self.folder.path / "spool"

    def _may_start_again(self, name: str) -> bool:
        recently = time.time() - STARTS_SECONDS
        return sum(fault.part == name and fault.at > recently for fault in self.faults) <= STARTS_AGAIN

    def _note_fault(self, name: str) -> None:
        self._down[name] = fault = Fault(name, how(self.children[name]), time.time())
        self.faults.append(fault)

    def _start_again(self, name: str) -> None:
        fault = self._down[name]
        try:
            self._renew(name)
        except Failed as error:
            fault.trouble = str(error)  # no processes or no memory left just now; tried again the next time
        else:
            fault.started_again, fault.trouble = True, ""
            del self._down[name]

    def _renew(self, name: str) -> None:
        """Raises Failed."""
        if name in self._ready_files:
            self._ready_files[name].unlink(missing_ok=True)  # of its forerunner
        if name == "database":
            assert self._server is not None
            self._server.start_again()
            self.children[name] = self._server.child
            return
        forerunner = self.children[name]
        forerunner.end(())
        self.children[name] = Child.start(forerunner.spec)
        if name == "sidecar" and self._app_pid is not None:
            self.children[name].tell(f'{{"pid": {self._app_pid}}}')

    def _is_ready(self, name: str) -> bool:
        if name in self._asked_to_end:
            return True
        if name == "database":
            assert self._server is not None
            try:
                return self._server.is_ready()
            except Failed:
                return False
        return self._ready_files[name].exists()

    @property
    def _ready_files(self) -> dict[str, Path]:
        return {
            "collector": self.folder.path / "collector.url",
            "sidecar": self.folder.path / "sidecar.ready",
        }

    def logs(self) -> str:
        """What the parts wrote, for --verbose."""
        texts = [(name, child.log_tail()) for name, child in self.children.items()]
        return "\n".join(f"── {name}\n{text}" for name, text in texts if text)

    def end(self) -> None:
        """End everything that lives, the last started first."""
        if "sidecar" in self.children:
            self.children["sidecar"].end(((signal.SIGTERM, SIDECAR_FLUSH_SECONDS),))
        if "collector" in self.children:
            self.children["collector"].end(_COLLECTOR_STOP)
        if self._server is not None:
            self._server.stop()

    def _start_database(self) -> str:
        from memwarden.database import server

        folder = self.folder.make_child("database")
        started = server.start(folder)
        self.children["database"] = started.child
        self._server = started
        return started.url

    def _start_collector(self, database_url: str, listen: str, url_file: Path) -> None:
        variables = environment.for_python(os.environ)
        if self.plan.database_url is None:
            variables = environment.without_libpq(variables)
        # By the environment and not as an option: every user of the machine can read command lines.
        variables |= {ENV_TOKEN: self.token, ENV_DATABASE_URL: database_url}
        self._start(
            "collector",
            [
                *environment.python("memwarden_collector"),
                "--listen", listen,
                "--grpc-listen", "off",  # nobody but our sidecar sends here
                "--port-file", str(url_file),
            ],
            variables,
        )  # fmt: skip

    def _start_sidecar(self, ready_file: Path) -> None:
        plan = self.plan
        self.socket = self.folder.make_door() / "probe"
        limit = [] if plan.memory_limit_bytes is None else ["--memory-limit", str(plan.memory_limit_bytes)]
        self._start(
            "sidecar",
            [
                *environment.python("memwarden_sidecar"),
                "--scope-id", self.scope,
                # With "=": a command may begin with a dash. Shortened: one argument has at most 128 KiB.
                f"--command-line={shlex.join(plan.command)[:_COMMAND_LINE_CHARACTERS]}",
                "--socket", str(self.socket),
                "--collector", self.url,
                "--interval", f"{plan.interval_seconds:g}",
                "--sampling-bytes", str(plan.sampling_bytes),
                "--spool", str(self.folder.make_child(self.spool.name)),
                "--ready-file", str(ready_file),
                # With the samples, so that whoever judges them later does as this run did.
                "--sensitivity", plan.sensitivity,
                *limit,
            ],
            environment.for_python(os.environ) | {ENV_TOKEN: self.token},
            stdin_pipe=True,
        )  # fmt: skip

    def _start(
        self, name: str, arguments: list[str], variables: dict[str, str], stdin_pipe: bool = False
    ) -> None:
        spec = ChildSpec(
            name=name,
            arguments=arguments,
            environment=variables,
            folder=self.folder.path,
            log=self.folder.path / f"{name}.log",
            # Both end by themselves within 5 s, and with --database-url the last flush is worth having.
            death_signal=signal.SIGTERM,
            stdin_pipe=stdin_pipe,
        )
        self.children[name] = Child.start(spec)

    def _await(self, name: str, file: Path, mailbox: Mailbox, deadline: float) -> None:
        child = self.children[name]
        while not file.exists():
            if child.exit_code() is not None and not file.exists():
                raise self._ended_early(name, child)
            if time.monotonic() > deadline:
                raise Failed(
                    f"the {name} was not ready after {READY_SECONDS:.0f} s; "
                    "the machine is too busy, try again",
                    details=child.log_tail(),
                )
            for received in mailbox.take_until(time.monotonic() + _POLL_SECONDS):
                if mailbox.is_end(received):
                    raise Interrupted(received.number, received.number.name)

    def _ended_early(self, name: str, child: Child) -> Failed:
        sentence = child.last_sentence()
        if child.exit_code() == EXIT_FAILED and sentence:
            return Failed(sentence, details=child.log_tail())
        return Failed(
            f"the {name} ended as it started: {sentence or 'it said nothing'}; this may be a bug, "
            "run it again with --verbose",
            details=child.log_tail(),
        )
