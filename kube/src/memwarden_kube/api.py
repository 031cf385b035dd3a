"""The API server for who asks it little: JSON requests over kept connections, in threads, by the standard library.

The collector asks for reviews of tokens and rights, and reads kubelets. For that the official client would be 19 MiB
of its memory and 40 MB of its image, this is less than one (docs/design/20261121-access.md). The service account's
token is read at each request, the CA when it changed. Safe to use from several threads; every wait has an end.
"""

import http.client
import json
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from memwarden_kube.errors import NotConnected, Request, Unreachable, of_answer

__all__ = ["Api", "ApiServer", "in_pod"]

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS: Final = 5.0
"""For each step of a request: connect, write, read."""
KEPT_CONNECTIONS: Final = 16
ANSWER_BYTES: Final = 32 << 20
_ACCEPT: Final = "application/json, */*"
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where it is, and who we are."""

    url: str
    ca_file: Path | None
    token_file: Path | None


def in_pod(environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> ApiServer:
    """As Kubernetes tells a pod. Raises NotConnected."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not host or not port:
        raise NotConnected(
            "this is no pod (KUBERNETES_SERVICE_HOST is not set); name the API server with --kubernetes-api, "
            "--kubernetes-ca-file and --kubernetes-token-file"
        )
    host = f"[{host}]" if ":" in host else host
    return ApiServer(f"https://{host}:{port}", account / "ca.crt", account / "token")


class Api:
    """Requests to one API server."""

    def __init__(self, server: ApiServer, user_agent: str, seconds: float = SECONDS) -> None:
        parts = urlsplit(server.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotConnected(f"{server.url!r} is not the URL of an API server; write https://HOST:PORT")
        self._server = server
        self._host = parts.hostname
        self._port = parts.port
        self._with_tls = parts.scheme == "https"
        self._agent = user_agent
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: list[http.client.HTTPConnection] = []
        self._context: ssl.SSLContext | None = None
        self._ca_seen: tuple[int, int] | None = None

    def get(self, request: Request, path: str, accept: str = _ACCEPT) -> dict[str, Any]:
        """Raises KubeError."""
        return self._object(request, self.text(request, path, accept=accept))

    def post(self, request: Request, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Raises KubeError."""
        return self._object(request, self.text(request, path, json.dumps(body).encode()))

    def text(self, request: Request, path: str, body: bytes | None = None, accept: str = _ACCEPT) -> bytes:
        """The answer's body as it is. Raises KubeError."""
        for connection, fresh in self._connections(request):
            try:
                answer = self._ask(connection, path, body, accept)
            except (ConnectionError, http.client.BadStatusLine) as error:
                connection.close()
                if fresh:  # a kept one may have been closed meanwhile; that says nothing about the API server
                    raise self._unreachable(request, error) from error
                continue
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                raise self._unreachable(request, error) from error
            status, text, headers = answer
            if status not in _SUCCESS:
                raise of_answer(request, status, text.decode("utf-8", "replace"), headers)
            return text
        raise AssertionError("the last connection is a fresh one")

    def _connections(self, request: Request) -> Iterator[tuple[http.client.HTTPConnection, bool]]:
        with self._lock:
            kept = self._kept.pop() if self._kept else None
        if kept is not None:
            yield kept, False
        try:
            fresh = self._open()
        except OSError as error:
            raise self._unreachable(request, error) from error
        yield fresh, True

    def _open(self) -> http.client.HTTPConnection:
        if not self._with_tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._seconds, context=self._trust()
        )

    def _trust(self) -> ssl.SSLContext:
        file = self._server.ca_file
        with self._lock:
            seen = None
            if file is not None:
                state = file.stat()
                seen = (state.st_mtime_ns, state.st_ino)
            if self._context is None or seen != self._ca_seen:
                context = ssl.create_default_context(cafile=None if file is None else str(file))
                # Clusters' own CAs often lack what Python 3.13 asks of one; they are named by file all the same.
                context.verify_flags &= ~ssl.VERIFY_X509_STRICT
                self._context, self._ca_seen = context, seen
            return self._context

    def _ask(
        self, connection: http.client.HTTPConnection, path: str, body: bytes | None, accept: str
    ) -> tuple[int, bytes, Mapping[str, str]]:
        headers = {"User-Agent": self._agent, "Accept": accept}
        if self._server.token_file is not None:
            headers["Authorization"] = f"Bearer {self._server.token_file.read_text().strip()}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read(ANSWER_BYTES)
        if answer.isclosed() and not answer.will_close:
            self._keep(connection)
        else:
            connection.close()
        return answer.status, text, dict(answer.headers)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._kept) < KEPT_CONNECTIONS:
                self._kept.append(connection)
                return
        connection.close()

    def _unreachable(self, request: Request, error: Exception) -> Unreachable:
        cause = str(error) or type(error).__name__
        return Unreachable(
            f"can't {request}: no answer from the API server at {self._server.url} ({cause[:200]}); it is asked again"
        )

    @staticmethod
    def _object(request: Request, text: bytes) -> dict[str, Any]:
        with suppress(ValueError):
            read = json.loads(text)
            if isinstance(read, dict):
                return read
        raise Unreachable(
            f"can't {request}: the answer is not JSON of Kubernetes; see what stands at that address"
        )

    def close(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()
