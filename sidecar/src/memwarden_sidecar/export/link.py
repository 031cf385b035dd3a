"""One HTTP/1.1 connection to the collector, kept open, without anything that knows what is sent over it."""

import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Final

from memwarden_api import names
from memwarden_sidecar.errors import Unreachable
from memwarden_sidecar.export.destination import BUNDLE_BYTES, Destination
from memwarden_sidecar.settings import CONNECT_SECONDS, REQUEST_SECONDS, RESPONSE_BYTES

if TYPE_CHECKING:
    import http.client

AGENT: Final = "memwarden-sidecar"
BUNDLE_SECONDS: Final = 3600.0
"""Between two questions whom to trust; a new CA stands in the bundle for weeks before it signs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is cut to RESPONSE_BYTES; names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Link:
    """For one thread; `abort` may be called from another."""

    def __init__(self, destination: Destination) -> None:
        self._to = destination
        self._http = _http_client(with_tls=destination.with_tls)
        self._bundle_due = 0.0
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
                    raise Unreachable(self._to.explain(error)) from None
                kept = False

    def _attempt(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        own = {"User-Agent": AGENT, **self._to.authorization()}
        connection = self._connection or self._connect()
        connection.sock.settimeout(seconds)
        connection.request(method, self._to.prefix + path, body, {**headers, **own})
        response = connection.getresponse()
        data = response.read(RESPONSE_BYTES)
        if not response.isclosed() or response.will_close:  # more than we read, or the server's wish
            self.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)

    def _connect(self) -> "http.client.HTTPConnection":
        to = self._to
        connection: http.client.HTTPConnection
        if to.with_tls:
            connection = self._http.HTTPSConnection(
                to.host, to.port, timeout=CONNECT_SECONDS, context=to.trust()
            )
        else:
            connection = self._http.HTTPConnection(to.host, to.port, timeout=CONNECT_SECONDS)
        self._connection = connection
        connection.connect()
        if to.keeps_bundles and time.monotonic() >= self._bundle_due:
            self._fetch_bundle(connection)
        return connection

    def _fetch_bundle(self, connection: "http.client.HTTPConnection") -> None:
        """Whom to trust from now on, told by whom we trust already. A collector that has none says 404."""
        self._bundle_due = time.monotonic() + BUNDLE_SECONDS
        connection.request("GET", self._to.prefix + names.TRUST_PATH, headers={"User-Agent": AGENT})
        response = connection.getresponse()
        bundle = response.read(BUNDLE_BYTES)
        if response.status == 200:
            self._to.keep(bundle)
        if not response.isclosed() or response.will_close:
            connection.close()
            connection.connect()

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
