"""A TCP proxy that can be cut: what is behind it is away then, and back when it is joined again."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Listens on 127.0.0.1; `cut` refuses and ends all connections."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._joined = True
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            self._joined = False
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def join(self) -> None:
        self._joined = True

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._to, timeout=10) if self._joined else None
            except OSError:
                far = None
            if far is None:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_copied, args=(source, target), daemon=True).start()


def _copied(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65_536):
            target.sendall(part)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextlib.contextmanager
def proxied(host: str, port: int) -> Iterator[Proxy]:
    """One for a test."""
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
