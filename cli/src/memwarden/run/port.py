"""A TCP port of the loopback that is ours before anybody listens on it.

The collector's address is known at once, so that the sidecar need not wait for the collector to be there.
The port is bound and not listened on: with SO_REUSEADDR on both sides the collector may then bind it as well,
while the kernel gives it to nobody who asks for a free one.
"""

import socket
from dataclasses import dataclass, field
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def _bound() -> socket.socket:
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((LOOPBACK, 0))
    return reserved


@dataclass(slots=True)
class ReservedPort:
    """Close it when the one it is for listens."""

    _socket: socket.socket = field(default_factory=_bound)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()
