"""The doors as one bare ASGI app: POST `/v1/metrics` and `/v1development/profiles`, protobuf, none or gzip.

A request is admitted by its size, read, inflated and decoded in a thread, handed to the store, and
acknowledged after its commit. Nothing here ever answers 500 for a database that is away: that is 503, with
Retry-After.
"""

import asyncio
import hashlib
import logging
import random
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final, Protocol

from memwarden_api.names import BATCH_ID_HEADER, METRICS_PATH, PROFILES_PATH
from memwarden_collector.batch import Batch, ResourceBlock, Signal
from memwarden_collector.clock import Clock, Now
from memwarden_collector.errors import DataRefused, Overloaded, Refused, StoreError
from memwarden_collector.otlp.admission import Budget, Reservation
from memwarden_collector.otlp.body import (
    ClientGone,
    Incoming,
    Receive,
    Scope,
    Send,
    drain,
    encoding_of,
    headers_of,
    inflate,
    read_body,
)
from memwarden_collector.otlp.metrics import decode_metrics, metrics_response
from memwarden_collector.otlp.profiles import decode_profiles
from memwarden_collector.otlp.profiles_codec import profiles_response
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.otlp.status import status_body
from memwarden_collector.settings import Limits
from memwarden_collector.telemetry import Telemetry

_log = logging.getLogger(__name__)
_PROTOBUF: Final = b"application/x-protobuf"
_RETRY_SECONDS: Final = (1, 3)  # jittered, so that clients don't come back in one wave


class Sink(Protocol):
    """Where batches go. The future ends after the commit: True stored, False seen before."""

    def submit(self, batch: Batch) -> Future[bool]:
        """Raises Overloaded when too much waits."""


@dataclass(frozen=True, slots=True)
class Door:
    """One signal: how it is decoded and answered."""

    signal: Signal
    decode: Callable[[bytes, Limits, Now], tuple[list[ResourceBlock], Rejections]]
    respond: Callable[[Rejections], bytes]


DOORS: Final = {
    METRICS_PATH: Door(Signal.METRICS, decode_metrics, metrics_response),
    PROFILES_PATH: Door(Signal.PROFILES, decode_profiles, profiles_response),
}


class OtlpDoors:
    """The ASGI app of the doors."""

    def __init__(
        self, sink: Sink, limits: Limits, telemetry: Telemetry, clock: Clock, executor: Executor
    ) -> None:
        self._sink = sink
        self._limits = limits
        self._telemetry = telemetry
        self._clock = clock
        self._executor = executor
        self._budget = Budget(limits.max_inflight_bytes)
        telemetry.gauge("inflight_bytes", lambda: self._budget.used)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        incoming = Incoming(receive)
        as_json = headers.get(b"content-type", b"").startswith(b"application/json")
        door = DOORS[scope["path"]]
        try:
            body = await self._take(door, scope, headers, incoming)
        except ClientGone:
            self._telemetry.count("refused_total", status="499", reason="client_gone")
        except Refused as refused:
            self._telemetry.count("refused_total", status=str(refused.status), reason=refused.reason)
            if refused.reason != "body_seconds":
                await drain(headers, incoming)
            await send_error(send, refused, as_json=as_json)
        else:
            await send_answer(send, 200, _PROTOBUF, body)

    async def _take(self, door: Door, scope: Scope, headers: dict[bytes, bytes], receive: Incoming) -> bytes:
        if scope["method"] != "POST":
            raise Refused(405, f"{scope['method']} is not taken here, POST is", reason="method")
        content_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if content_type != _PROTOBUF:
            raise Refused(415, "the content-type is not application/x-protobuf", reason="content_type")
        encoding = encoding_of(headers)
        client_key = _batch_id(headers)
        with Reservation(self._budget) as reservation:
            sent = await read_body(headers, receive, self._limits, reservation)
            loop = asyncio.get_running_loop()
            blocks, rejections, key = await loop.run_in_executor(
                self._executor, self._decode, door, sent, encoding, reservation
            )
            await self._store(Batch(client_key or key, door.signal, blocks))
        rejections.report(self._telemetry, door.signal.name.lower())
        return door.respond(rejections)

    def _decode(
        self, door: Door, sent: bytes, encoding: str, reservation: Reservation
    ) -> tuple[list[ResourceBlock], Rejections, bytes]:
        body = inflate(sent, encoding, self._limits, reservation)
        blocks, rejections = door.decode(body, self._limits, self._clock.now())
        return blocks, rejections, hashlib.sha256(body).digest()

    async def _store(self, batch: Batch) -> None:
        signal = batch.signal.name.lower()
        if not batch.blocks:
            self._telemetry.count("batches_total", signal=signal, result="empty")
            return
        try:
            async with asyncio.timeout(self._limits.commit_seconds):
                # Shielded: a batch that waits too long may still be committed; sent again it counts once.
                committed = asyncio.wrap_future(self._sink.submit(batch))
                committed.add_done_callback(lambda future: future.cancelled() or future.exception())
                stored = await asyncio.shield(committed)
        except TimeoutError:
            raise Overloaded(
                f"the database did not commit within commit_seconds={self._limits.commit_seconds:g};"
                " send it again later",
                reason="commit_seconds",
            ) from None
        except DataRefused as error:
            raise Refused(400, str(error), reason="data") from error
        except StoreError as error:
            raise Overloaded(f"{error}; send it again later", reason=type(error).__name__) from error
        self._telemetry.count("batches_total", signal=signal, result="stored" if stored else "duplicate")
        if stored:
            self._telemetry.count("points_total", batch.rows, signal=signal)


def _batch_id(headers: dict[bytes, bytes]) -> bytes | None:
    """The client's id of this batch, None without one; raises Refused (400)."""
    text = headers.get(BATCH_ID_HEADER.encode())
    if text is None:
        return None
    try:
        return uuid.UUID(text.decode("ascii")).bytes
    except (ValueError, UnicodeDecodeError):
        raise Refused(400, f"{BATCH_ID_HEADER} is not a UUID", reason="batch_id") from None


async def send_error(send: Send, refused: Refused, *, as_json: bool) -> None:
    """`google.rpc.Status` in the request's encoding."""
    kind, body = status_body(refused.status, refused.message, as_json=as_json)
    headers = [(b"connection", b"close")] if refused.status in (408, 413) else []
    if isinstance(refused, Overloaded):
        headers.append((b"retry-after", str(random.randint(*_RETRY_SECONDS)).encode()))  # noqa: S311 - jitter
    if refused.status == 405:
        headers.append((b"allow", b"POST"))
    await send_answer(send, refused.status, kind, body, headers)


async def send_answer(
    send: Send, status: int, kind: bytes, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """One whole answer."""
    fields = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
