"""Where the collector listens: the socket, its URL, and the file that tells it."""

import os
import socket
from pathlib import Path

from memwarden_collector.errors import ListenFailed, PortFileFailed

_BACKLOG = 512


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; raises ListenFailed with what to do."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenFailed(
            f"--listen: {host!r} is not an address of this machine ({error}); name another"
        ) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenFailed(
            f"can't listen on {host}:{port} ({error.strerror}); stop what uses the port, or choose"
            f" another with"
            " --listen (port 0 takes a free one)"
        ) from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, *, with_tls: bool = False) -> str:
    """`http://HOST:PORT` or `https://…`, with the port that was taken."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if with_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def write_port_file(path: Path, url: str) -> None:
    """The URL and a line's end, whole or not at all; raises PortFileFailed."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(url + "\n")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PortFileFailed(
            f"can't write --port-file {path} ({error.strerror}); name a writable folder"
        ) from None
