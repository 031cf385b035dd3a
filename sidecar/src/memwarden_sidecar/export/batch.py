"""Batches: an encoded request and its id, made once, so that a batch sent twice counts once."""

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from memwarden_api import names

_CHUNK_BYTES: Final = 64 << 10
COMPRESSION_LEVEL: Final = 4
"""zlib: metrics shrink 9–40 times; higher levels cost twice the time for 5 % less."""


class Kind(Enum):
    """Which door of the collector."""

    METRICS = "metrics"
    PROFILES = "profiles"

    @property
    def path(self) -> str:
        return names.METRICS_PATH if self is Kind.METRICS else names.PROFILES_PATH


@dataclass(frozen=True, slots=True)
class Batch:
    """`body` is gzip of a protobuf message. Ids sort by the time that they were made."""

    id: str
    kind: Kind
    body: bytes


class BatchIds:
    """UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, a counter of 12 bits within one, 62 bits of chance.

    Ids of one process rise strictly, also when the clock stands or the counter is full.
    """

    def __init__(self, now: Callable[[], float], random: Callable[[int], bytes] = os.urandom) -> None:
        self._now = now
        self._random = random
        self._last = (0, 0)

    def next(self) -> str:
        milliseconds, counter = int(self._now() * 1000), 0
        if milliseconds <= self._last[0]:
            milliseconds, counter = self._last[0], self._last[1] + 1
            if counter > 0xFFF:
                milliseconds, counter = milliseconds + 1, 0
        self._last = (milliseconds, counter)
        chance = int.from_bytes(self._random(8), "big") & ((1 << 62) - 1)
        number = milliseconds << 80 | 7 << 76 | counter << 64 | 2 << 62 | chance
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def compress(message: bytes) -> bytes:
    """gzip without a time in its header: the same message gives the same bytes."""
    packer = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, 31)
    return packer.compress(message) + packer.flush()


def is_whole(body: bytes) -> bool:
    """Whether gzip's own check sum holds, in bounded memory: an empty file would be taken for an empty request."""
    unpacker = zlib.decompressobj(31)
    try:
        while not unpacker.eof and body:
            unpacker.decompress(body, _CHUNK_BYTES)
            body = unpacker.unconsumed_tail
    except zlib.error:
        return False
    return unpacker.eof and not unpacker.unused_data
