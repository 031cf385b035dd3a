"""The three parts behind a run: database, collector, sidecar; how they start and end, and what is said when
one of them dies.
"""

import os
import secrets
import shlex
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from memwarden.api import Api
from memwarden.errors import Failed, Interrupted
from memwarden.run import environment
from memwarden.run.folder import RunFolder
from memwarden.run.plan import Plan
from memwarden.run.port import ReservedPort
from memwarden.supervise.child import Child, ChildSpec
from memwarden.supervise.mailbox import Mailbox
from memwarden_api.names import ENV_TOKEN, EXIT_FAILED

ENV_DATABASE_URL: Final = "MEMWARDEN_DATABASE_URL"
READY_SECONDS: Final = 30.0
SIDECAR_FLUSH_SECONDS: Final = 6.0
_POLL_SECONDS: Final = 0.005
_COMMAND_LINE_CHARACTERS: Final = 1024
_COLLECTOR_STOP: Final = ((signal.SIGTERM, 3.0),)


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
    stop_database: Callable[[], None] = lambda: None
    children: dict[str, Child] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    """Parts that ended before their time, and how."""

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
            url_file, ready_file = self.folder.path / "collector.url", self.folder.path / "sidecar.ready"
            self._start_collector(database_url, port.address, url_file)
            self._start_sidecar(ready_file)
            self._await("collector", url_file, mailbox, deadline)
            self._await("sidecar", ready_file, mailbox, deadline)
        finally:
            port.close()

    def app_started(self, pid: int) -> None:
        self.children["sidecar"].tell(f'{{"pid": {pid}}}')

    def watch(self) -> None:
        """Note what died, keep the logs bounded. The app is not disturbed by any of it."""
        for name, child in self.children.items():
            child.trim_log()
            code = child.exit_code()
            if code is not None and name not in self.lost:
                self.lost[name] = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    def losses(self) -> tuple[str, ...]:
        """One sentence for each part that died while the app ran."""
        return tuple(
            f"The {name} ended while the command ran ({how}); what was seen after that is lost."
            for name, how in self.lost.items()
        )

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
        self.stop_database()

    def _start_database(self) -> str:
        from memwarden.database import server

        folder = self.folder.make_child("database")
        started = server.start(folder)
        self.children["database"] = started.child
        self.stop_database = started.stop
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
                "--port-file", str(url_file),
                "--sensitivity", self.plan.sensitivity,
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
                "--spool", str(self.folder.make_child("spool")),
                "--ready-file", str(ready_file),
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
