"""The temporary server: start, ready, stop."""

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from memwarden.database import template
from memwarden.database.binaries import Binaries, for_identity, locate
from memwarden.errors import Failed, reason
from memwarden.supervise.child import Child, ChildSpec
from memwarden.supervise.confinement import How, Identity, server_identity

READY_SECONDS: Final = 90.0
_STATUS_LINE: Final = 7
"""Of postmaster.pid, as pg_ctl reads it."""
LEFTOVERS_SECONDS: Final = 5.0
_PID_FILE: Final = "postmaster.pid"
STOP: Final = ((signal.SIGINT, 2.0), (signal.SIGQUIT, 1.0))
"""Fast shutdown first; the immediate one still cleans up shared memory, SIGKILL does not."""


@dataclass(slots=True)
class Server:
    """A PostgreSQL in `folder`, which is ours and is emptied by whoever made it."""

    folder: Path
    child: Child

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder), safe='')}"

    def is_ready(self) -> bool:
        """Whether it takes connections. Raises Failed when it ended instead."""
        if self.child.exit_code() is not None:
            raise Failed(
                template.explain("postgres", self.child.log_tail(), self.folder),
                details=self.child.log_tail(),
            )
        try:
            lines = (self.folder / "data" / _PID_FILE).read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def stop(self) -> None:
        self.child.end(STOP)

    def start_again(self) -> None:
        """After it was killed, on the same data; it gets ready by itself. Raises Failed."""
        self.child.end(())
        self._end_leftovers()
        (self.folder / "data" / _PID_FILE).unlink(missing_ok=True)
        self.child = Child.start(self.child.spec)

    def _end_leftovers(self) -> None:
        """The killed server's own processes end when they notice. None may write beside the new one, and from its
        IPC namespace it can't see them: so they are ended here, known by their working directory.
        """
        data = str(self.folder / "data")
        deadline = time.monotonic() + LEFTOVERS_SECONDS
        while leftovers := [pid for pid in _all_pids() if _works_in(pid, data)]:
            for pid in leftovers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise Failed("the killed database's processes do not end; end them by hand")
            time.sleep(0.01)


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _works_in(pid: int, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == folder
    except OSError:  # it has ended, or is somebody else's
        return False


def launch(folder: Path) -> Server:
    """Start a server in `folder` (empty, short path, on a disk); it gets ready by itself, see `is_ready`."""
    identity = server_identity()
    if identity is None:
        raise Failed(template.no_identity())
    binaries = locate()
    try:
        binaries = for_identity(binaries, identity)
        if identity.how is How.DROPPED:
            _open(folder, identity)
    except OSError as error:
        raise Failed(
            f"PostgreSQL's programs could not be made ready for an unprivileged user: {reason(error)}; "
            "use --database-url"
        ) from error
    template.copy_to(folder / "data", binaries, identity)
    return _start(folder, binaries, identity)


def start(folder: Path) -> Server:
    """Start a server and wait until it is ready. A damaged template is made again, once."""
    server = launch(folder)
    try:
        await_ready(server)
    except Failed:
        server.stop()
        template.forget(locate())
        shutil.rmtree(folder / "data", ignore_errors=True)
        server = launch(folder)
        try:
            await_ready(server)
        except Failed:
            server.stop()
            raise
    return server


def await_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not server.is_ready():
        if time.monotonic() > deadline:
            raise Failed(
                f"the temporary database was not ready after {READY_SECONDS:.0f} s; "
                "the machine is too busy, try again or use --database-url",
                details=server.child.log_tail(),
            )
        time.sleep(0.002)


def _start(folder: Path, binaries: Binaries, identity: Identity) -> Server:
    spec = ChildSpec(
        name="temporary database",
        arguments=[str(binaries.postgres), "-D", str(folder / "data"), "-k", str(folder)],
        environment=template.ENVIRONMENT,
        folder=folder,
        log=folder / "log",
        identity=identity,
        death_signal=signal.SIGQUIT,  # it then ends its own processes and frees its shared memory
    )
    return Server(folder, Child.start(spec))


def _open(folder: Path, identity: Identity) -> None:
    """The server's own folder, in a folder of ours that others may pass through and not read."""
    folder.parent.chmod(0o711)
    os.chown(folder, identity.uid, identity.gid)
