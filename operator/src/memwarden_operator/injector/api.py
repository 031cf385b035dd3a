"""The API server over aiohttp: just enough for a watch, an event and a Secret. No Kubernetes client: it costs 40 MiB.

In a pod the address, certificate authority and token come from where Kubernetes puts them; the token is read anew when
its file changes, since the kubelet replaces it.
"""

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECT_SECONDS: Final = 5.0
REQUEST_SECONDS: Final = 30.0
MERGE_PATCH: Final = "application/merge-patch+json"


class ApiError(Exception):
    """The API server answered, and not well: verb, path, status and its own words."""

    def __init__(self, verb: str, path: str, status: int, message: str) -> None:
        hint = f"; the service account needs the right to do this ({verb} {path})" if status == 403 else ""
        super().__init__(f"{verb} {path}: {status} {message}{hint}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is, and who we are."""

    server: str
    token_file: Path | None
    ca_file: Path | None

    @classmethod
    def in_cluster(cls, environment: Mapping[str, str] = os.environ) -> "Access | None":
        """None: this is no pod."""
        host, port = (
            environment.get("KUBERNETES_SERVICE_HOST"),
            environment.get("KUBERNETES_SERVICE_PORT", "443"),
        )
        if not host:
            return None
        address = f"[{host}]" if ":" in host else host
        return cls(f"https://{address}:{port}", _ACCOUNT / "token", _ACCOUNT / "ca.crt")


class Api:
    """Open it with `async with`. Methods raise ApiError, aiohttp.ClientError, TimeoutError or OSError."""

    def __init__(self, access: Access, user_agent: str) -> None:
        self._access = access
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._token = ("", 0.0)

    async def __aenter__(self) -> "Api":
        context: ssl.SSLContext | bool = True
        if self._access.ca_file is not None:
            context = ssl.create_default_context(cafile=str(self._access.ca_file))
        self._session = aiohttp.ClientSession(
            self._access.server,
            connector=aiohttp.TCPConnector(ssl=context, limit=16),
            headers={"User-Agent": self._user_agent, "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        return await self._ask("get", path, parameters=parameters)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask("create", path, body=body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Refused with 409 where `metadata.resourceVersion` is not the object's any more."""
        return await self._ask("update", path, body=body)

    async def patch(self, path: str, body: Any) -> dict[str, Any]:
        """A merge patch (RFC 7386)."""
        return await self._ask("patch", path, body=body, content_type=MERGE_PATCH)

    def watch(self, path: str, parameters: Mapping[str, str], silence_seconds: float) -> Any:
        """The answer as a stream, for `async with`; silence of so long ends it."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)
        return self._opened().get(path, params=parameters, headers=self._headers(), timeout=timeout)

    async def _ask(
        self,
        verb: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        method = {"get": "GET", "create": "POST", "update": "PUT", "patch": "PATCH"}[verb]
        headers = self._headers()
        if body is not None:
            headers["Content-Type"] = content_type
        data = None if body is None else json.dumps(body)
        async with self._opened().request(
            method, path, params=parameters, data=data, headers=headers
        ) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise ApiError(verb, path, answer.status, message_of(text))
            found: dict[str, Any] = json.loads(text)
            return found

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("open it with `async with` first")
        return self._session

    def _headers(self) -> dict[str, str]:
        if self._access.token_file is None:
            return {}
        changed = self._access.token_file.stat().st_mtime
        if changed != self._token[1]:
            self._token = (self._access.token_file.read_text().strip(), changed)
        return {"Authorization": f"Bearer {self._token[0]}"}


def message_of(text: str) -> str:
    """The `message` of a Status, else the beginning of whatever came."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200]
