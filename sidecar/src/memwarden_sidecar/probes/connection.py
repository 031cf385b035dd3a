"""One connection of a probe: bytes become lines, descriptors are caught and counted, all of it bounded."""

import array
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Final

from memwarden_sidecar.errors import Refused
from memwarden_sidecar.probes.hello import DESCRIPTORS as HELLO_DESCRIPTORS
from memwarden_sidecar.probes.hello import Hello
from memwarden_sidecar.settings import HELLO_LINE_BYTES, LINE_BYTES

CHUNK_BYTES: Final = 64 << 10
DESCRIPTORS: Final = 16
"""Descriptors taken with one chunk, so that unexpected ones can be closed; more the kernel closes itself."""
_CREDENTIALS: Final = struct.Struct("3i")


@dataclass(slots=True, eq=False)
class Connection:
    """State of one socket.

    `pid` and `uid` are what the kernel says of who dialled, not what the peer claims; the pid is 0 from another
    process namespace, until the container's host has found out (containers.py).
    """

    socket: socket.socket
    pid: int
    uid: int
    opened: float
    """Value of the elapsed clock, in seconds."""
    hello: Hello | None = None
    extra_descriptors: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _descriptors: list[int] = field(default_factory=list)

    def receive(self) -> list[bytes] | None:
        """Complete lines that have come; None at the end of the stream. Raises Refused, and OSError."""
        try:
            data, ancillary, flags, _ = self.socket.recvmsg(
                CHUNK_BYTES,
                socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize),
                socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT,
            )
        except BlockingIOError:
            return []
        except (ConnectionResetError, BrokenPipeError):
            return None
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._catch(content)
        if flags & socket.MSG_CTRUNC:
            raise Refused("too-many-descriptors", "more descriptors came than a hello has")
        if not data:
            return None
        return self._split(data)

    def _catch(self, content: bytes) -> None:
        descriptors = array.array("i")
        descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
        for descriptor in descriptors:
            if self.hello is None and len(self._descriptors) < len(HELLO_DESCRIPTORS):
                self._descriptors.append(descriptor)
            else:
                os.close(descriptor)
                self.extra_descriptors += 1

    def _split(self, data: bytes) -> list[bytes]:
        if b"\n" not in data:
            self._buffer += data
            self._check(len(self._buffer))
            return []
        first, *middle, rest = data.split(b"\n")
        lines = [bytes(self._buffer) + first, *middle]
        self._buffer = bytearray(rest)
        self._check(max(map(len, (*lines, rest))))
        return [line for line in lines if line.strip()]

    def _check(self, length: int) -> None:
        limit = HELLO_LINE_BYTES if self.hello is None else LINE_BYTES
        if length > limit:
            raise Refused("long-line", f"a line has more than {limit} bytes")

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    def take(self, name: str) -> int | None:
        """The descriptor that hello calls so, None where it brought none; the caller closes it."""
        names = self.hello.descriptors if self.hello is not None else ()
        place = names.index(name) if name in names else len(names)
        if place >= len(self._descriptors) or self._descriptors[place] < 0:
            return None
        descriptor, self._descriptors[place] = self._descriptors[place], -1
        return descriptor

    def close_untaken(self) -> int:
        """Close what came with hello and nobody took; returns how many."""
        untaken = [descriptor for descriptor in self._descriptors if descriptor >= 0]
        for descriptor in untaken:
            os.close(descriptor)
        self._descriptors.clear()
        return len(untaken)

    def send(self, line: bytes) -> bool:
        """Whole or not at all: a peer that does not read is not waited for."""
        try:
            return self.socket.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) == len(line)
        except OSError:
            return False

    def close(self) -> None:
        self.close_untaken()
        self._buffer.clear()
        self.socket.close()


def peer_identity(peer: socket.socket) -> tuple[int, int]:
    """Process and user id of who dialled, as seen from here; 0 when the process is not visible from our namespace."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return pid, uid
