"""The body of a request over HTTP: read with a bound.

A size is refused by Content-Length before a byte is read, else while reading. Refused bytes are read on and
thrown away for a moment, because closing on a client that still sends destroys the answer on its way (RFC 9112,
9.6).
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from memwarden_collector.errors import Refused
from memwarden_collector.otlp.admission import Reservation
from memwarden_collector.settings import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_DRAIN_BYTES: Final = 64 << 20
_DRAIN_SECONDS: Final = 2.0


class ClientGone(Exception):
    """The client closed before its body was whole: nobody is left to answer."""


class Incoming:
    """`receive`, and whether the body has come to its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Header names in lower case; of several with one name the last."""
    return dict(scope["headers"])


async def read_body(
    headers: dict[bytes, bytes],
    receive: Incoming,
    limits: Limits,
    reservation: Reservation,
    most: str = "max_request_bytes",
) -> bytes:
    """The body as sent, within the limit called `most`. Raises Refused (400, 408, 413), Overloaded, ClientGone."""
    limit = int(getattr(limits, most))
    length = headers.get(b"content-length")
    if length is not None:
        if not length.isdigit():
            raise Refused(400, "content-length is not a number", reason="content_length")
        if int(length) > limit:
            raise _too_large(f"content-length is {int(length)} bytes", most, limit)
        reservation.grow(int(length))
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                body += message.get("body", b"")
                if len(body) > limit:
                    raise _too_large(f"the body has more than {limit} bytes", most, limit)
                reservation.grow_to(len(body))
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(
            408, f"the body did not arrive within body_seconds={limits.body_seconds:g}", reason="body_seconds"
        ) from None


async def drain(headers: dict[bytes, bytes], receive: Incoming) -> None:
    """Read on and throw away, within bounds; a client that waits for 100-continue has sent nothing."""
    if b"expect" in headers:
        return
    seen = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while seen < _DRAIN_BYTES and not receive.ended:
                seen += len((await receive()).get("body", b""))
    except TimeoutError:
        return


def _too_large(what: str, name: str, limit: int) -> Refused:
    return Refused(
        413, f"{what}: over {name}={limit}; send smaller requests", reason=name.removeprefix("max_")
    )
