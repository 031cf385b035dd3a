"""The door: the Unix socket that probes dial, and the connections behind it.

It belongs to the sidecar's one loop: `selector` reports what is ready, `handle` does it without ever waiting.
What a connection means the `Host` decides (linked.py); here is only who may stay.

A connection is closed, and counted by reason, when it sends what is no hello, too long a line, a descriptor
that is no table, or nothing for HELLO_SECONDS. When all places are taken the oldest one without a hello goes.
"""

import os
import selectors
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from memwarden_sidecar.errors import CannotStart, Refused
from memwarden_sidecar.notices import LOGGER, Notices
from memwarden_sidecar.probes.connection import Connection, peer_identity
from memwarden_sidecar.probes.hello import parse_hello, parse_line
from memwarden_sidecar.settings import BUFFERED_BYTES, HELLO_SECONDS, MAX_CONNECTIONS

ACCEPTS_AT_ONCE: Final = 64
PAUSE_SECONDS: Final = 1.0
"""Without a free descriptor nobody is let in for this long."""
READS_AT_ONCE: Final = 8
"""Chunks read of one connection before others have their turn."""


class Host(Protocol):
    """Who is told what connections say. Methods raise Refused to have the connection closed."""

    def arrived(self, connection: Connection) -> None:
        """Hello is there, as `connection.hello`."""

    def answered(self, connection: Connection, message: Mapping[str, object]) -> None:
        """A later message."""

    def goodbye(self, connection: Connection) -> None:
        """The process is about to end by itself."""

    def left(self, connection: Connection) -> None:
        """The connection has ended, whoever ended it."""


class Door:
    """The listening socket and its connections."""

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        host: Host,
        notices: Notices,
        elapsed: Callable[[], float],
    ) -> None:
        self._path = path
        self._selector = selector
        self._host = host
        self._notices = notices
        self._elapsed = elapsed
        self._connections: dict[int, Connection] = {}
        self._paused_until: float | None = None
        self._listener = _listen(path)
        self._inode = os.stat(path).st_ino
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                peer, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._pause(error)
                return
            self._let_in(peer)

    def _pause(self, error: OSError) -> None:
        self._notices.once(
            "accept-failed", f"probes can't connect now: {error.strerror}; raise RLIMIT_NOFILE"
        )
        self._selector.unregister(self._listener)
        self._paused_until = self._elapsed() + PAUSE_SECONDS

    def _let_in(self, peer: socket.socket) -> None:
        if len(self._connections) >= MAX_CONNECTIONS and not self._make_room():
            self._notices.once(
                "refused:full", f"over {MAX_CONNECTIONS} probes; more are watched from outside"
            )
            peer.close()
            return
        peer.setblocking(False)
        connection = Connection(peer, *peer_identity(peer), self._elapsed())
        self._connections[peer.fileno()] = connection
        self._selector.register(peer, selectors.EVENT_READ, lambda: self._read(connection))

    def _make_room(self) -> bool:
        silent = [connection for connection in self._connections.values() if connection.hello is None]
        if silent:
            self._refuse(
                min(silent, key=lambda one: one.opened), Refused("gave-way", "it had not said hello")
            )
        return bool(silent)

    def _read(self, connection: Connection) -> None:
        try:
            for _ in range(READS_AT_ONCE):
                lines = connection.receive()
                if lines is None:
                    self._close(connection)
                    return
                for line in lines:
                    self._line(connection, line)
                if not lines:
                    break
            if sum(one.buffered for one in self._connections.values()) > BUFFERED_BYTES:
                raise Refused("buffers-full", "unfinished lines take too much memory")
        except Refused as refused:
            self._refuse(connection, refused)
        except OSError as error:
            self._refuse(connection, Refused("broken", str(error.strerror)))

    def _line(self, connection: Connection, line: bytes) -> None:
        message = parse_line(line)
        if connection.hello is not None:
            if message.get("method") == "goodbye":
                self._host.goodbye(connection)
            else:
                self._host.answered(connection, message)
            return
        connection.hello = parse_hello(message)
        self._host.arrived(connection)
        connection.extra_descriptors += connection.close_untaken()

    def _refuse(self, connection: Connection, refused: Refused) -> None:
        self._notices.count(f"refused:{refused.reason}")
        LOGGER.debug("connection of process %d closed: %s", connection.pid, refused)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        number = connection.socket.fileno()
        if number < 0 or self._connections.pop(number, None) is None:
            return
        if connection.extra_descriptors:
            self._notices.count("unexpected-descriptors", connection.extra_descriptors)
        self._selector.unregister(connection.socket)
        self._host.left(connection)
        connection.close()

    def tend(self) -> None:
        """At least once a second: time limits."""
        now = self._elapsed()
        if self._paused_until is not None and now >= self._paused_until:
            self._paused_until = None
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        late = [
            connection
            for connection in self._connections.values()
            if connection.hello is None and now - connection.opened > HELLO_SECONDS
        ]
        for connection in late:
            self._refuse(connection, Refused("silent", "it has not said hello"))

    def close(self) -> None:
        """Hang up everywhere and remove the socket, if it is still ours."""
        for connection in list(self._connections.values()):
            self._close(connection)
        if self._paused_until is None:
            self._selector.unregister(self._listener)
        self._listener.close()
        with suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:
                self._path.unlink()


def _listen(path: Path) -> socket.socket:
    """A listening socket, open to every user who can enter its folder: a program may change its user id."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _remove_stale(path)
        listener.bind(os.fspath(path))
        path.chmod(0o666)
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"the probes' socket can't be made: {error.strerror}; "
            f"give a --socket in a folder that you may write: {path}"
        ) from None
    except CannotStart:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    """A socket that nobody listens on is left from a sidecar that was killed."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise CannotStart(f"--socket is a file of another kind; remove it or give another path: {path}")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.settimeout(1.0)
            trial.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass
    raise CannotStart(f"another sidecar listens on --socket; end it or give another path: {path}")
