"""One HTTP/1.1 connection to the collector, kept open. An attempt has one of four outcomes; none raises.

OTLP/HTTP's rules: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response. Beyond them 401, 403 and 408
are tried again, since a token may be exchanged while we run; the bound is the backlog's.
"""

import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceResponse,
)

from memwarden_api import names
from memwarden_sidecar.export.batch import Batch, Kind
from memwarden_sidecar.settings import CONNECT_SECONDS, REQUEST_SECONDS, RESPONSE_BYTES, RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    import http.client
    import ssl

RETRIED: Final = frozenset({401, 403, 408, 429, 502, 503, 504})
"""The collector, the network or the token is at fault, not the batch."""


class Verdict(Enum):
    TAKEN = "taken"
    LATER = "later"
    """Nothing can be sent at the moment."""
    FAULT = "fault"
    """The collector failed at this batch: again, but not for ever."""
    REFUSED = "refused"
    """This batch will never be taken."""


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    status: int = 0
    """HTTP status; 0 without an answer."""
    reason: str = ""
    """In the words of the collector or the system. With TAKEN: what it did not take of the batch."""
    retry_after: float = 0.0
    """Seconds that the collector asks us to wait."""


class Transport:
    """Sends from one thread; `abort` may be called from another."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._http = _http_client(with_tls=parts.scheme == "https")
        self._tls = _tls_context() if parts.scheme == "https" else None
        self._token = token
        self._connection: http.client.HTTPConnection | None = None

    def post(self, batch: Batch) -> Outcome:
        """One attempt; a second one only where a kept connection turns out to have been closed meanwhile."""
        fresh = self._connection is None
        try:
            return self._attempt(batch)
        except (ConnectionError, self._http.BadStatusLine) as error:
            self.close()
            if fresh:
                return _unreachable(error)
        except (OSError, self._http.HTTPException, ValueError) as error:
            self.close()
            return _unreachable(error)
        try:
            return self._attempt(batch)
        except (OSError, self._http.HTTPException, ValueError) as error:
            self.close()
            return _unreachable(error)

    def _attempt(self, batch: Batch) -> Outcome:
        connection = self._connection or self._connect()
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "User-Agent": "memwarden-sidecar",
            names.BATCH_ID_HEADER: batch.id,
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection.request("POST", self._prefix + batch.kind.path, batch.body, headers)
        response = connection.getresponse()
        body = response.read(RESPONSE_BYTES)
        if not response.isclosed() or response.will_close:  # more than we read, or the server's wish
            self.close()
        return judge(batch.kind, response.status, body, response.getheader("Retry-After", ""), time.time())

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
        connection.sock.settimeout(REQUEST_SECONDS)
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


def judge(kind: Kind, status: int, body: bytes, retry_after: str, now: float) -> Outcome:
    """What an answer means. `now` is in Unix seconds, for a Retry-After that is a date."""
    if 200 <= status < 300:
        return Outcome(Verdict.TAKEN, status, _partial(kind, body))
    reason = _reason(body)
    if status in RETRIED:
        return Outcome(Verdict.LATER, status, reason, _wait(retry_after, now))
    if status == 500:
        return Outcome(Verdict.FAULT, status, reason, _wait(retry_after, now))
    return Outcome(Verdict.REFUSED, status, reason)


def _partial(kind: Kind, body: bytes) -> str:
    try:
        if kind is Kind.METRICS:
            metrics = ExportMetricsServiceResponse.FromString(body).partial_success
            rejected, message = metrics.rejected_data_points, metrics.error_message
        else:
            profiles = ExportProfilesServiceResponse.FromString(body).partial_success
            rejected, message = profiles.rejected_profiles, profiles.error_message
    except DecodeError:
        return ""
    return f"{rejected} of its parts: {message}" if rejected or message else ""


def _reason(body: bytes) -> str:
    """Text of a google.rpc.Status: its fields 1 (int32) and 2 (string) are those of the message used here."""
    try:
        text = ExportMetricsPartialSuccess.FromString(body).error_message
    except DecodeError:
        text = ""
    return text or body[:200].decode("utf-8", "replace")


def _wait(text: str, now: float) -> float:
    """Seconds of a Retry-After, within RETRY_AFTER_SECONDS; 0 where there is none."""
    try:
        seconds = float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), RETRY_AFTER_SECONDS)


def _unreachable(error: Exception) -> Outcome:
    return Outcome(Verdict.LATER, 0, str(error) or type(error).__name__)
