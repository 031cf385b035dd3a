"""How much memory a request may take once it is parsed, estimated before parsing it.

In protobuf an empty message is two bytes, and some 80 once it is parsed; in JSON `{}` is a dictionary. A body within
all other limits may so be forty times its size in memory. What is tiny and length-delimited is counted without parsing
(numbers that look like it are counted too), which bounds the estimate from above. Bodies up to a MiB are not
looked at: their worst is small, and they are nearly all there are.
"""

from typing import Final

from memwarden_collector.errors import Refused
from memwarden_collector.otlp.encoding import Encoding
from memwarden_collector.settings import Limits

_UNSEEN_BYTES: Final = 1 << 20
_TIMES: Final = 4
"""Parsed to raw bytes, of messages that are not tiny."""
_MESSAGE_BYTES: Final = 88
_TINY_BYTES: Final = 8
_OBJECT_BYTES: Final = 250  # a dict of json, a dict of ours, the message
_ITEM_BYTES: Final = 60


def check_weight(body: bytes, encoding: Encoding, limits: Limits) -> int:
    """Bytes to reserve for parsing this body; raises Refused (413) over the limit."""
    if len(body) <= _UNSEEN_BYTES:
        return 0
    weight = _of_protobuf(body) if encoding is Encoding.PROTOBUF else _of_json(body)
    if weight > limits.max_decoded_bytes:
        raise Refused(
            413,
            f"{len(body)} bytes would take about {weight} once parsed: over"
            f" max_decoded_bytes={limits.max_decoded_bytes}; send smaller requests",
            reason="decoded_bytes",
        )
    return weight


def _of_protobuf(body: bytes) -> int:
    import numpy as np

    raw = np.frombuffer(body, dtype=np.uint8)
    now, following = raw[:-1], raw[1:]
    # A length-delimited field's tag with a tiny length; and a number that is longer than it need be, to hide one.
    tiny = np.count_nonzero((now & 7 == 2) & (following < _TINY_BYTES))
    padded = np.count_nonzero((now >= 0x80) & (following == 0))
    return _TIMES * len(body) + _MESSAGE_BYTES * int(tiny + padded)


def _of_json(body: bytes) -> int:
    objects = body.count(b"{") + body.count(b"[")
    return _TIMES * len(body) + _OBJECT_BYTES * objects + _ITEM_BYTES * (body.count(b",") + body.count(b":"))
