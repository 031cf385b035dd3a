"""OTLP over HTTP as one bare ASGI app: POST to the paths of `signals.DOORS`.

Bodies are protobuf or JSON, as they are or in gzip, zstd or deflate. A request is admitted by its size and read
here; `intake` does the rest. Errors are told as google.rpc.Status in the request's encoding. Nothing here ever answers
500 for a database that is away: that is 503, with Retry-After.
"""

import math
from typing import Final

from memwarden_api.names import BATCH_ID_HEADER
from memwarden_collector.access.caller import Caller
from memwarden_collector.errors import Refused
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
from memwarden_collector.otlp.compression import Compression
from memwarden_collector.otlp.encoding import Encoding
from memwarden_collector.otlp.intake import Intake, Sent, batch_id, retry_seconds
from memwarden_collector.otlp.signals import DOORS
from memwarden_collector.otlp.status import status_body

_DOOR: Final = "http"


class OtlpDoors:
    """The app of the doors: ASGI, and who calls."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        headers = headers_of(scope)
        incoming = Incoming(receive)
        try:
            encoding, body = await self._take(scope, headers, incoming, caller)
        except ClientGone:
            self._intake.refused(Refused(499, "the client is gone", reason="client_gone"), _DOOR)
        except Refused as refused:
            await self.refuse(refused, headers, incoming, send)
        else:
            await send_answer(send, 200, encoding.value, body)

    async def refuse(
        self, refused: Refused, headers: dict[bytes, bytes], incoming: Incoming, send: Send
    ) -> None:
        """Count it, let the client finish, and tell it."""
        self._intake.refused(refused, _DOOR)
        if refused.reason != "body_seconds":
            await drain(headers, incoming)
        await send_error(send, refused, Encoding.for_errors(headers.get(b"content-type", b"")))

    async def _take(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Incoming, caller: Caller
    ) -> tuple[Encoding, bytes]:
        door = DOORS.get(scope["path"])
        if door is None:
            raise Refused(
                404, f"nothing is taken at {scope['path'][:200]}; {', '.join(DOORS)} are", reason="path"
            )
        if scope["method"] != "POST":
            raise Refused(405, f"{scope['method'][:20]} is not taken here, POST is", reason="method")
        encoding = Encoding.of(headers.get(b"content-type", b""))
        compression = Compression.of(headers.get(b"content-encoding", b""))
        key = headers.get(BATCH_ID_HEADER.encode())
        client_key = batch_id(None if key is None else key.decode("latin-1"))
        with Reservation(self._intake.budget) as reservation:
            body = await read_body(headers, receive, self._intake.limits, reservation)
            sent = Sent(body, compression, encoding, client_key)
            answer = await self._intake.take(door, sent, reservation, caller)
        return encoding, encoding.serialise(answer)


async def send_error(send: Send, refused: Refused, encoding: Encoding) -> None:
    """`google.rpc.Status` in the request's encoding."""
    headers = [(b"connection", b"close")] if refused.status in (408, 413) else []
    if (seconds := retry_seconds(refused)) is not None:
        headers.append((b"retry-after", str(math.ceil(seconds)).encode()))
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.status == 405:
        headers.append((b"allow", b"POST"))
    body = status_body(refused.status, refused.message, encoding)
    await send_answer(send, refused.status, encoding.value, body, headers)


async def send_answer(
    send: Send, status: int, kind: bytes, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """One whole answer."""
    fields = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
