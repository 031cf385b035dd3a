"""The root ASGI app: health and own numbers, the doors, the interface; the bearer token before all but
health.

The interface is loaded when it is first asked for or shortly after the start: FastAPI takes longer to import
than everything else, and a sidecar must not wait for it.
"""

import contextlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from memwarden_collector.errors import Refused
from memwarden_collector.otlp.body import Incoming, Receive, Scope, Send, drain, headers_of
from memwarden_collector.otlp.doors import DOORS, OtlpDoors, send_answer, send_error
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
App = Callable[[Scope, Receive, Send], Awaitable[None]]
API_PREFIX: Final = "/api/v1"
_JSON: Final = b"application/json"
_PROBLEM: Final = b"application/problem+json"


class Root:
    """Which app answers which path. `trouble` tells the state of the database, or None when all is well."""

    def __init__(
        self,
        doors: OtlpDoors,
        interface: Callable[[], Awaitable[App]],
        trouble: Callable[[], Awaitable[str | None]],
        telemetry: Telemetry,
        token: str | None,
    ) -> None:
        self._doors = doors
        self._interface = interface
        self._trouble = trouble
        self._telemetry = telemetry
        self._expected = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        path = scope["path"]
        if path == "/healthz":
            await _send_json(send, 200, {"status": "ok"})
        elif path == "/readyz":
            await self._ready(send)
        elif not self._may(scope):
            await self._unauthorised(scope, receive, send)
        elif path in DOORS:
            await self._doors(scope, receive, send)
        elif path.startswith(API_PREFIX + "/"):
            interface = await self._interface()
            # A fault was answered and logged by the interface's own handler, which raises it once more.
            with contextlib.suppress(Exception):
                await interface(scope, receive, send)
        elif path == "/metrics":
            await send_answer(
                send, 200, b"text/plain; version=0.0.4; charset=utf-8", self._telemetry.text().encode()
            )
        else:
            await _send_problem(
                send, 404, "Not Found", f"there is nothing at {path[:200]}; the interface is {API_PREFIX}"
            )

    def _may(self, scope: Scope) -> bool:
        if self._expected is None:
            return True
        given = headers_of(scope).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)

    async def _unauthorised(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        text = "the bearer token is missing or wrong; send the value of MEMWARDEN_TOKEN"
        self._telemetry.count("refused_total", status="401", reason="token")
        await drain(headers, Incoming(receive))
        if scope["path"] in DOORS:
            as_json = headers.get(b"content-type", b"").startswith(_JSON)
            await send_error(send, Refused(401, text, reason="token"), as_json=as_json)
        else:
            await _send_problem(send, 401, "Unauthorized", text)

    async def _ready(self, send: Send) -> None:
        trouble = await self._trouble()
        state = {"status": "ok" if trouble is None else "away", "detail": trouble or ""}
        await _send_json(send, 200 if trouble is None else 503, {"database": state})


async def _send_json(send: Send, status: int, value: object) -> None:
    await send_answer(send, status, _JSON, json.dumps(value).encode())


async def _send_problem(send: Send, status: int, title: str, detail: str) -> None:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = [(b"www-authenticate", b"Bearer")] if status == 401 else []
    await send_answer(send, status, _PROBLEM, json.dumps(body).encode(), headers)
