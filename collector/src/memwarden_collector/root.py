"""The root ASGI app: health and own numbers, the doors, the interface; before all but health the question who calls,
and before the interface what he may.

The interface is loaded when it is first asked for or shortly after the start: FastAPI takes longer to import
than everything else, and a sidecar must not wait for it.
"""

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from memwarden_api.names import COMMANDS_PATH, TRUST_PATH
from memwarden_collector.access.caller import Access, Caller, Need
from memwarden_collector.access.permit import Permit, leave
from memwarden_collector.access.rules import Anyone, OfPod, demand
from memwarden_collector.dependencies import OK, Dependencies
from memwarden_collector.errors import Overloaded, Refused, StoreError
from memwarden_collector.otlp.admission import Reservation
from memwarden_collector.otlp.body import (
    ClientGone,
    Incoming,
    Receive,
    Scope,
    Send,
    drain,
    headers_of,
    read_body,
)
from memwarden_collector.otlp.doors import OtlpDoors, send_answer
from memwarden_collector.otlp.intake import Intake, retry_seconds
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
App = Callable[[Scope, Receive, Send], Awaitable[None]]
API_PREFIX: Final = "/api/v1"
_NEXT_COMMANDS: Final = f"{COMMANDS_PATH}/next"
_OTLP_PREFIXES: Final = ("/v1/", "/v1development/")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_JSON: Final = b"application/json"
_PROBLEM: Final = b"application/problem+json"


class Root:
    """Which app answers which path."""

    def __init__(
        self,
        doors: OtlpDoors,
        intake: Intake,
        interface: Callable[[], Awaitable[App]],
        next_commands: Callable[[bytes], Awaitable[bytes | None]],
        dependencies: Dependencies,
        telemetry: Telemetry,
        access: Access,
        verdict_series: Callable[[], str],
        *,
        open_metrics: bool = False,
        trust_file: Path | None = None,
    ) -> None:
        self._doors = doors
        self._intake = intake
        self._interface = interface
        self._next_commands = next_commands
        self._dependencies = dependencies
        self._telemetry = telemetry
        self._access = access
        self._open_metrics = open_metrics
        self._trust_file = trust_file
        self._verdict_series = verdict_series

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        path = scope["path"]
        if path == "/healthz":
            # Alive is who answers: nothing is asked that could hang.
            await _send_json(send, 200, {"status": OK, **self._dependencies.last_known()})
        elif path == "/startupz":
            await self._started(send)
        elif path == "/readyz":
            await self._ready(send)
        elif path == TRUST_PATH:
            await self._trust(send)
        elif path == "/metrics" and self._open_metrics:
            await self._metrics(send)
        else:
            await self._admitted(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        try:
            caller = await self._access.admit(headers_of(scope).get(b"authorization", b""))
            if path.startswith(_OTLP_PREFIXES):
                await self._doors(scope, receive, send, caller)
                return
            await self._check(scope, caller)
            if path.startswith(API_PREFIX + "/"):
                await self._serve(scope, receive, send)
                return
        except ClientGone:
            return
        except Refused as refused:
            await self._refuse(refused, scope, receive, send)
            return
        if path == "/metrics":
            await self._metrics(send)
        else:
            await _send_problem(send, 404, f"there is nothing at {path[:200]}; the interface is {API_PREFIX}")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """By the interface, with a body that is whole and bounded. Raises Refused."""
        if scope["method"] in _WITH_BODY:
            with Reservation(self._intake.budget) as reservation:
                limits, headers = self._intake.limits, headers_of(scope)
                body = await read_body(headers, Incoming(receive), limits, reservation, "max_interface_bytes")
            receive = _once(body, receive)
        elif scope["path"] == _NEXT_COMMANDS and scope["method"] == "GET":
            try:
                answer = await self._next_commands(scope["query_string"])
            except StoreError as error:
                raise Overloaded(f"{error}; ask again later", reason=type(error).__name__) from error
            if answer is not None:
                await send_answer(send, 200, _JSON, answer)
                return
        try:
            interface = await self._interface()
        except Exception as error:
            raise Overloaded(
                f"the interface can't be loaded ({error}); see /readyz", reason="interface"
            ) from error
        # A fault was answered and logged by the interface's own handler, which raises it once more.
        with contextlib.suppress(Exception):
            await interface(scope, receive, send)

    async def _check(self, scope: Scope, caller: Caller) -> None:
        """Raises Refused where the caller may not ask this."""
        path = scope["path"]
        permit = Permit(caller, self._access, asyncio.get_running_loop())
        leave(scope, permit)
        if path.startswith(API_PREFIX + "/"):
            wanted = demand(scope["method"], path.removeprefix(API_PREFIX), scope["query_string"])
            if isinstance(wanted, Need):
                await permit.require(wanted)
            elif isinstance(wanted, OfPod) and (wanted.uid or caller.pod is None):
                await permit.require_pod(wanted.uid)
            else:
                assert isinstance(wanted, Anyone | OfPod)  # of a pod: the route knows of which
        elif path == "/metrics":
            await permit.require(Need("list"))

    async def _trust(self, send: Send) -> None:
        """Certificates are no secret: whoever trusts the one that we show may know those that come after it."""
        try:
            bundle = self._trust_file.read_bytes() if self._trust_file is not None else b""
        except OSError as error:
            _log.error("can't read --trust-file %s (%s)", self._trust_file, error.strerror)
            bundle = b""
        if bundle:
            await send_answer(send, 200, b"application/x-pem-file", bundle)
        else:
            await _send_problem(send, 404, "no bundle is served here; --trust-file names one")

    async def _metrics(self, send: Send) -> None:
        text = await asyncio.to_thread(self._verdict_series) + self._telemetry.text()
        await send_answer(send, 200, b"text/plain; version=0.0.4; charset=utf-8", text.encode())

    async def _refuse(self, refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        headers, incoming = headers_of(scope), Incoming(receive)
        if scope["path"].startswith(_OTLP_PREFIXES):
            await self._doors.refuse(refused, headers, incoming, send)
            return
        self._intake.refused(refused, "interface")
        await drain(headers, incoming)
        await _send_problem(send, refused.status, refused.message, retry_seconds(refused))

    async def _started(self, send: Send) -> None:
        states = await self._dependencies.states()
        await _send_json(send, 200 if states["interface"]["status"] == OK else 503, states)

    async def _ready(self, send: Send) -> None:
        """Data is taken, and questions are answered or will soon be."""
        states = await self._dependencies.states()
        is_ready = states["database"]["status"] == OK and states["interface"]["status"] != "failed"
        await _send_json(send, 200 if is_ready else 503, states)


def _once(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await receive()

    return replay


async def _send_json(send: Send, status: int, value: object) -> None:
    await send_answer(send, status, _JSON, json.dumps(value).encode())


async def _send_problem(send: Send, status: int, detail: str, retry: float | None = None) -> None:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    headers = [(b"www-authenticate", b"Bearer")] if status == 401 else []
    if status in (408, 413):
        headers.append((b"connection", b"close"))
    if retry is not None:
        headers.append((b"retry-after", str(math.ceil(retry)).encode()))
    await send_answer(send, status, _PROBLEM, json.dumps(body).encode(), headers)
