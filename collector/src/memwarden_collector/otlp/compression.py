"""Inflating bodies: piece by piece, with a bound on the result and on the ratio.

A stream stops at the limit, and at a ratio that only a bomb has. A body may be several gzip members or zstd frames one
after the other.
"""

import sys
import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from memwarden_collector.errors import Refused
from memwarden_collector.otlp.admission import Reservation
from memwarden_collector.settings import Limits

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

_RATIO_AFTER_BYTES: Final = 1 << 20
_STEP_BYTES: Final = 256 << 10
_INPUT_BYTES: Final = 16 << 10
_SMALL_SENT_BYTES: Final = 8 << 10
_SMALL_BYTES: Final = 64 << 10
_MAX_PARTS: Final = 64
_ZSTD_WINDOW_LOG: Final = 25
"""32 MiB, the largest window that encoders take without being told to: it is memory for each request."""


class Compression(StrEnum):
    """The value is the content-encoding."""

    NONE = "identity"
    GZIP = "gzip"
    DEFLATE = "deflate"
    ZSTD = "zstd"

    @classmethod
    def of(cls, content_encoding: bytes) -> "Compression":
        """Of a content-encoding header; raises Refused (415)."""
        name = content_encoding.strip().lower().decode("latin-1")
        if name in ("", "none"):
            return cls.NONE
        try:
            return cls(name)
        except ValueError:
            raise Refused(
                415,
                f"content-encoding {name[:40]!r} is not known; use gzip, zstd, deflate or none",
                reason="content_encoding",
            ) from None


def inflate(body: bytes, compression: Compression, limits: Limits, reservation: Reservation) -> bytes:
    """The body as meant. Computes: call it in a thread. Raises Refused (400, 413), Overloaded."""
    if compression is Compression.NONE:
        if len(body) > limits.max_inflated_bytes:
            raise _too_large(limits)
        return body
    result = bytearray()
    try:
        for step in _unzstd(body) if compression is Compression.ZSTD else _unzlib(body, compression):
            reservation.grow(len(step))
            result += step
            _check(len(result), len(body), limits)
    except (zlib.error, ZstdError, EOFError) as error:
        raise Refused(400, f"the body is not {compression}: {error}", reason=compression) from None
    return bytes(result)


def inflate_small(body: bytes, compression: Compression) -> bytes | None:
    """The body as meant if that is small and nothing is wrong with it, else None: then `inflate` says what is."""
    if len(body) > _SMALL_SENT_BYTES:
        return None
    if compression is Compression.NONE:
        return body
    if compression is not Compression.GZIP:
        return None
    part = zlib.decompressobj(wbits=zlib.MAX_WBITS + 16)
    try:
        result = part.decompress(body, _SMALL_BYTES)
    except zlib.error:
        return None
    return result if part.eof and not part.unused_data else None


def _unzlib(body: bytes, compression: Compression) -> Iterator[bytes]:
    wbits = zlib.MAX_WBITS + (16 if compression is Compression.GZIP else 0)
    place = parts = 0
    while place < len(body):
        parts = _count_part(parts, compression)
        part = zlib.decompressobj(wbits=wbits)
        while not part.eof:
            # Small pieces of input: what zlib leaves over is copied each time.
            piece = body[place : place + _INPUT_BYTES]
            step = part.decompress(piece, _STEP_BYTES)
            place += len(piece) - len(part.unconsumed_tail) - len(part.unused_data)
            if not step and not piece and not part.eof:
                raise EOFError("it ends too early")
            yield step


def _unzstd(body: bytes) -> Iterator[bytes]:
    place = parts = 0
    while place < len(body):
        parts = _count_part(parts, Compression.ZSTD)
        part = ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
        while not part.eof:
            piece = body[place : place + _INPUT_BYTES] if part.needs_input else b""
            if part.needs_input and not piece:
                raise EOFError("it ends too early")
            step = part.decompress(piece, _STEP_BYTES)
            place += len(piece) - len(part.unused_data)
            yield step


def _count_part(parts: int, compression: Compression) -> int:
    if parts == _MAX_PARTS:
        raise Refused(400, f"more than {_MAX_PARTS} {compression} streams in one body", reason=compression)
    return parts + 1


def _check(inflated: int, sent: int, limits: Limits) -> None:
    if inflated > limits.max_inflated_bytes:
        raise _too_large(limits)
    if inflated > _RATIO_AFTER_BYTES and inflated > sent * limits.max_inflate_ratio:
        raise Refused(
            413,
            f"{sent} bytes inflate to more than {inflated}: over"
            f" max_inflate_ratio={limits.max_inflate_ratio}",
            reason="inflate_ratio",
        )


def _too_large(limits: Limits) -> Refused:
    return Refused(
        413,
        f"the body has more than max_inflated_bytes={limits.max_inflated_bytes}, inflated; send smaller requests",
        reason="inflated_bytes",
    )
