"""One HTTP/1.1 connection to the collector, kept open, without anything that knows what is sent over it."""

import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from memwarden_sidecar.errors import Unreachable
from memwarden_sidecar.settings import CONNECT_SECONDS, REQUEST_SECONDS, RESPONSE_BYTES

if TYPE_CHECKING:
    import http.client
    import ssl


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is cut to RESPONSE_BYTES; names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Link:
    """For one thread; `abort` may be called from another."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._http = _http_client(with_tls=parts.scheme == "https")
        self._tls = _tls_context() if parts.scheme == "https" else None
        self._token = token
        self._connection: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> Answer:
        """One attempt, of which each step may take so long; a second one only where a kept connection turns out to have
        been closed meanwhile. Raises Unreachable.
        """
        kept = self._connection is not None
        while True:
            try:
                return self._attempt(method, path, body, headers or {}, seconds)
            except (OSError, self._http.HTTPException, ValueError) as error:
                self.close()
                if not (kept and isinstance(error, ConnectionError | self._http.BadStatusLine)):
                    raise Unreachable(str(error) or type(error).__name__) from None
                kept = False

    def _attempt(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        connection = self._connection or self._connect()
        connection.sock.settimeout(seconds)
        own = {"User-Agent": "memwarden-sidecar"}
        if self._token:
            own["Authorization"] = f"Bearer {self._token}"
        connection.request(method, self._prefix + path, body, {**headers, **own})
        response = connection.getresponse()
        data = response.read(RESPONSE_BYTES)
        if not response.isclosed() or response.will_close:  # more than we read, or the server's wish
            self.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)

    def _connect(self) -> "http.client.HTTPConnection":
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = self._http.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        else:
            connection = self._http.HTTPSConnection(
                self._host, self._port, timeout=CONNECT_SECONDS, context=self._tls
            )
        self._connection = connection
        connection.connect()
        return connection

    def abort(self) -> None:
        """From another thread: wake up one that waits for the collector."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _http_client(*, with_tls: bool) -> ModuleType:
    """`http.client`, without TLS where no TLS is spoken: that is 4 MiB of a sidecar's 32.

    It tries to import `ssl` and does without when it fails; a None in sys.modules makes that happen.
    """
    hidden = not with_tls and "ssl" not in sys.modules and "http.client" not in sys.modules
    if hidden:
        sys.modules["ssl"] = None  # type: ignore[assignment]  # documented: importing it then fails
    try:
        import http.client
    finally:
        if hidden:
            del sys.modules["ssl"]
    return http.client


def _tls_context() -> "ssl.SSLContext":
    import ssl

    return ssl.create_default_context()
