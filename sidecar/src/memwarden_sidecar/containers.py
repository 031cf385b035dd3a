"""The containers of a pod: a folder with a socket for each, and a scope for each life of one.

Who calls follows from the mount: a container sees only its own folder. Its processes are in a namespace that is
not visible from here, so each hello brings the container's /proc and cgroup (sources/container_folders.py); the
first one opens the scope. A container that is started again has a new namespace: what was known of the old one is
sent, marked as ended, and a new scope begins, since a judgement must not mix the two.
"""

import os
import selectors
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from memwarden_sidecar.errors import CannotStart, Refused, Unreadable
from memwarden_sidecar.notices import LOGGER, Notices
from memwarden_sidecar.probes.connection import Connection
from memwarden_sidecar.probes.door import Door
from memwarden_sidecar.scope import WatchedScope
from memwarden_sidecar.sources.container_folders import ContainerFolders

SOCKET: Final = "probe.sock"
FOLDER_MODE: Final = 0o1777
"""Every user may connect and leave a file there; nobody may take away what is another's."""

MakeScope = Callable[[str, ContainerFolders, bool], WatchedScope]
"""(container, its folders, whether it has a process namespace of its own) → its scope."""


class Container:
    """One container, over all of its lives; the host of its door."""

    def __init__(self, name: str, make_scope: MakeScope, notices: Notices) -> None:
        self.name = name
        self._make_scope = make_scope
        self._notices = notices
        self._folders: ContainerFolders | None = None
        self.scope: WatchedScope | None = None

    # ── What connections say (Host) ──────────────────────────────────────────────────────────────────

    def arrived(self, connection: Connection) -> None:
        hello = connection.hello
        assert hello is not None
        folders = _folders(connection)
        # In a namespace that is shared by all containers, the kernel's word is at hand; else hello's is all.
        is_private = connection.pid <= 0
        if is_private:
            connection.pid = hello.proc_pid
        if self._folders is not None and self._folders.device != folders.device:
            self.look_round()
        if self._folders is not None and self._folders.device != folders.device:
            folders.close()
            raise Refused("nested-namespace", "it runs in a process namespace below that of its container")
        if self.scope is None:
            LOGGER.info("container %s: a program says hello", self.name)
            self._folders = folders
            self.scope = self._make_scope(self.name, folders, is_private)
        else:
            folders.close()
        self.scope.linked.arrived(connection)

    def answered(self, connection: Connection, message: Mapping[str, object]) -> None:
        if self.scope is not None:
            self.scope.linked.answered(connection, message)

    def goodbye(self, connection: Connection) -> None:
        if self.scope is not None:
            self.scope.linked.goodbye(connection)

    def left(self, connection: Connection) -> None:
        if self.scope is not None:
            self.scope.linked.left(connection)

    # ── What the loop asks ───────────────────────────────────────────────────────────────────────────

    def look_round(self) -> None:
        """At least once a second: notice that it has ended."""
        if self.scope is None or self._folders is None:
            return
        self.scope.look_round()
        if not self.scope.linked.is_connected and not self._folders.is_inhabited:
            LOGGER.info("container %s has ended", self.name)
            self.close()

    def close(self) -> None:
        """Its life is over, or ours."""
        if self.scope is not None:
            self.scope.close()
            self.scope = None
        if self._folders is not None:
            self._folders.close()
            self._folders = None


def _folders(connection: Connection) -> ContainerFolders:
    proc, cgroup = connection.take("proc"), connection.take("cgroup")
    if proc is None:
        if cgroup is not None:
            os.close(cgroup)
        raise Refused("no-proc", "hello brings no /proc of its container: its MEMWARDEN_CONTAINER is not set")
    try:
        return ContainerFolders(proc, cgroup)
    except Unreadable as error:
        raise Refused("bad-proc", str(error)) from None


class Containers:
    """The doors of all containers."""

    def __init__(
        self,
        folder: Path,
        names: tuple[str, ...],
        selector: selectors.BaseSelector,
        make_scope: MakeScope,
        notices: Notices,
        elapsed: Callable[[], float],
    ) -> None:
        """Raises CannotStart."""
        self._containers = [Container(name, make_scope, notices) for name in names]
        self._doors: list[Door] = []
        try:
            for container in self._containers:
                path = _make_folder(folder / container.name) / SOCKET
                self._doors.append(Door(path, selector, container, notices, elapsed))
        except CannotStart:
            self.close()
            raise

    @property
    def scopes(self) -> list[WatchedScope]:
        """Of the containers that live and have said hello."""
        return [container.scope for container in self._containers if container.scope is not None]

    def scope_of(self, name: str) -> WatchedScope | None:
        """Of a container that lives and has said hello."""
        found = (container.scope for container in self._containers if container.name == name)
        return next(found, None)

    def tend(self) -> None:
        for door in self._doors:
            door.tend()
        for container in self._containers:
            container.look_round()

    def close(self) -> None:
        for door in self._doors:
            door.close()
        for container in self._containers:
            container.close()


def _make_folder(path: Path) -> Path:
    """The kubelet makes it where a container was faster; then it is its, and open to all already."""
    try:
        path.mkdir(exist_ok=True)
        with suppress(PermissionError):
            path.chmod(FOLDER_MODE)
    except OSError as error:
        raise CannotStart(
            f"the folder of a container can't be made: {error.strerror}; "
            f"give a --listen folder that you may write: {path}"
        ) from None
    return path
