"""The root ASGI app: health and own numbers, the doors, the interface; the bearer token before all but
health.

The interface is loaded when it is first asked for or shortly after the start: FastAPI takes longer to import
than everything else, and a sidecar must not wait for it.
"""

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from memwarden_collector.bearer import Token
from memwarden_collector.otlp.body import Incoming, Receive, Scope, Send, drain, headers_of
from memwarden_collector.otlp.doors import OtlpDoors, send_answer
from memwarden_collector.store.tier import Store
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
App = Callable[[Scope, Receive, Send], Awaitable[None]]
API_PREFIX: Final = "/api/v1"
_OTLP_PREFIXES: Final = ("/v1/", "/v1development/")
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
        token: Token,
        store: Store,
    ) -> None:
        self._doors = doors
        self._interface = interface
        self._trouble = trouble
        self._telemetry = telemetry
        self._token = token
        self._store = store

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
        elif not self._token.fits(headers_of(scope).get(b"authorization", b"")):
            await self._unauthorised(scope, receive, send)
        elif path.startswith(_OTLP_PREFIXES):
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

    async def _unauthorised(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, incoming, refused = headers_of(scope), Incoming(receive), self._token.refusal()
        if scope["path"].startswith(_OTLP_PREFIXES):
            await self._doors.refuse(refused, headers, incoming, send)
            return
        self._telemetry.count("refused_total", status="401", reason=refused.reason, door="interface")
        await drain(headers, incoming)
        await _send_problem(send, 401, "Unauthorized", refused.message)

    async def _ready(self, send: Send) -> None:
        trouble = await self._trouble()
        state = {
            "status": "ok" if trouble is None else "away",
            "detail": trouble or "",
            "tier": str(self._store.tier),
            "layout": str(self._store.layout),
        }
        await _send_json(send, 200 if trouble is None else 503, {"database": state})


async def _send_json(send: Send, status: int, value: object) -> None:
    await send_answer(send, status, _JSON, json.dumps(value).encode())


async def _send_problem(send: Send, status: int, title: str, detail: str) -> None:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = [(b"www-authenticate", b"Bearer")] if status == 401 else []
    await send_answer(send, status, _PROBLEM, json.dumps(body).encode(), headers)
