"""Requests that are almost right. Each is made from its number alone, so that one can be made again.

Half are spoilt as messages (a field set to something at the end of its range, taken away, doubled), half as bytes; some
in their compression or their headers.
"""

import gzip
import hashlib
import json
import math
import random
import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import collector_requests as otlp
from backports import zstd
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from memwarden_api import names

TEXTS = ["", "\0", "a\0b", "x" * 5000, "é𝄞\u202e", names.SCOPE_ID, names.MEMORY_ANON, "inuse_space", "NaN"]
WHOLE = [0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, -(2**31), -(2**63), 2**64 - 1]
REAL = [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -1.5]
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": lambda body: gzip.compress(body, 1),
    "deflate": zlib.compress,
    "zstd": lambda body: zstd.compress(body, 1),
}


class Mutant(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


def seeds(now: float) -> dict[str, Message]:
    """A right request of each signal, with every kind of metric and attribute."""
    metrics = otlp.metrics("fuzz", now)
    own, nano = metrics.resource_metrics[1].scope_metrics[0].metrics, round(now * 1e9)
    explicit = own.add(name="h").histogram.data_points.add(
        time_unix_nano=nano, count=3, sum=4, min=1, max=2, explicit_bounds=[1.0, 2.0], bucket_counts=[1, 1, 1]
    )
    explicit.exemplars.add(as_int=5, span_id=b"12345678")
    value = explicit.attributes.add(key="nested").value
    value.array_value.values.add().kvlist_value.values.add(key="k").value.bytes_value = b"\0\xff"
    exponential = own.add(name="e").exponential_histogram.data_points.add(
        time_unix_nano=nano, count=3, scale=2, zero_count=1
    )
    exponential.positive.bucket_counts.extend([1, 1])
    summary = own.add(name="s").summary.data_points.add(time_unix_nano=nano, count=1)
    summary.quantile_values.add(quantile=0.5, value=2)
    stack = (("/app/a.py", 10, "grow"), ("/app/b.py", 20, "main"))
    cells = [(stack, "1", 100, 10, 2), (stack[1:], "inf", 300, 30, 3)]
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=nano).body.string_value = "text"
    ours = logs.resource_logs.add()
    ours.resource.attributes.extend(otlp.pairs(otlp.process_attributes("fuzz", 7)))
    records = ours.scope_logs.add().log_records
    event = records.add(time_unix_nano=nano, event_name="memwarden.fuzz")
    event.body.kvlist_value.values.add(key="k").value.bytes_value = b"\0\xff"
    event.attributes.extend(otlp.pairs({"n": 1, "text": "é"}))
    chunk = records.add(time_unix_nano=nano)
    chunk.body.bytes_value = b"whole"
    digest = hashlib.sha256(b"whole").hexdigest()
    parts = {names.SNAPSHOT_ID: otlp.batch_id(), names.SNAPSHOT_KIND: "fuzz", names.SNAPSHOT_SIZE: 5}
    parts |= {names.SNAPSHOT_CHUNKS: 1, names.SNAPSHOT_CHUNK: 0}
    parts |= {names.SNAPSHOT_SHA256: digest, names.SNAPSHOT_CHUNK_SHA256: digest}
    chunk.attributes.extend(otlp.pairs(parts))
    return {
        names.METRICS_PATH: metrics,
        names.PROFILES_PATH: otlp.profiles("fuzz", now, cells),
        names.LOGS_PATH: logs,
    }


class Mutator:
    """Makes mutants of the requests of one moment."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._seeds = seeds(time.time())

    def message(self, number: int) -> tuple[str, random.Random, Message]:
        """Path, the source of what else is left to chance, and a message that may be spoilt."""
        chance = random.Random(f"{self.seed}:{number}")
        path = chance.choices(list(self._seeds), (6, 3, 1))[0]
        message = type(self._seeds[path])()
        message.CopyFrom(self._seeds[path])
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            spoil(message, chance)
        return path, chance, message

    def over_grpc(self, number: int) -> tuple[str, bytes]:
        path, chance, message = self.message(number)
        body = message.SerializeToString()
        body = spoil_bytes(body, chance) if chance.random() < 0.5 else body
        body = COMPRESSIONS[chance.choice(("identity", "identity", "gzip", "deflate"))](body)
        return path, spoil_bytes(body, chance) if chance.random() < 0.05 else body

    def over_http(self, number: int) -> Mutant:
        path, chance, message = self.message(number)
        headers = {"content-type": "application/x-protobuf"}
        if chance.random() < 0.4:
            headers["content-type"] = "application/json"
            value = MessageToDict(message, use_integers_for_enums=True)
            for _ in range(chance.choice((0, 1, 3))):
                spoil_json(value, chance)
            body = json.dumps(value).encode()
        else:
            body = message.SerializeToString()
        if chance.random() < 0.4:
            body = spoil_bytes(body, chance)
        name = chance.choice(("identity", "identity", *COMPRESSIONS))
        if name != "identity" or chance.random() < 0.5:
            headers["content-encoding"] = name
        body = COMPRESSIONS[name](body)
        if chance.random() < 0.05:
            body = spoil_bytes(body, chance)
        if chance.random() < 0.05:
            headers["content-encoding"] = chance.choice(
                ("", "br", "gzip", "zstd", "deflate", "GZIP", "a, b", "\xff")
            )
        if chance.random() < 0.03:
            headers["content-type"] = chance.choice(("", "text/plain", "application/json; x", "\xe9" * 300))
        if chance.random() < 0.1:
            headers[names.BATCH_ID_HEADER] = chance.choice(("", "x", "\xff" * 16, str(otlp.batch_id())))
        return Mutant(path, headers, body)


def spoil(message: Message, chance: random.Random) -> None:
    """Change one field somewhere inside of it."""
    target: Any = message
    while True:
        inside = [value for field, value in target.ListFields() if field.message_type is not None]
        deeper = [one for value in inside for one in (value if not isinstance(value, Message) else [value])]
        if not deeper or chance.random() < 0.15:
            break
        target = chance.choice(deeper)
    field = chance.choice(target.DESCRIPTOR.fields)
    if chance.random() < 0.2:
        target.ClearField(field.name)
    elif field.is_repeated:
        repeated = getattr(target, field.name)
        if field.message_type is not None:
            repeated.extend(list(repeated) or [GetMessageClass(field.message_type)()])
        else:
            for _ in range(chance.choice((1, 1, 1, 2000))):
                repeated.append(extreme(field, chance))
    elif field.message_type is not None:
        getattr(target, field.name).SetInParent()
    else:
        setattr(target, field.name, extreme(field, chance))


def extreme(field: FieldDescriptor, chance: random.Random) -> Any:
    kind = field.cpp_type
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 300)))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return chance.choice(TEXTS)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return chance.choice([*REAL, chance.gauss(0, 1e6)])
    bits = 64 if kind in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64) else 32
    signed = kind not in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return min(high, max(low, chance.choice([*WHOLE, chance.randrange(100)])))


def spoil_bytes(body: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double, insert, or take out."""
    raw = bytearray(body)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place, size = chance.randrange(len(raw) + 1), chance.choice((1, 2, 9, 200))
        match chance.randrange(5):
            case 0 if place < len(raw):
                raw[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, raw[place] ^ 1 << chance.randrange(8)))
            case 1:
                del raw[place : len(raw) if chance.random() < 0.3 else place + size]
            case 2:
                raw[place:place] = raw[place : place + size]
            case 3:
                raw[place:place] = chance.randbytes(size)
            case _:
                other = chance.randrange(len(raw) + 1)
                raw[place : place + size] = raw[other : other + size]
    return bytes(raw)


def spoil_json(value: Any, chance: random.Random) -> None:
    """Put something of another kind in one place of it."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = chance.choice(keys)
        if not isinstance(value[key], dict | list) or chance.random() < 0.1:
            break
        value = value[key]
    odd = [
        None,
        True,
        0,
        -1,
        1e400,
        2**70,
        1.5,
        "",
        "NaN",
        "7",
        "x\0",
        "\ud800",
        [],
        {},
        [[]],
        {"a": 1},
        [None],
    ]
    value[key] = chance.choice(odd)
    if isinstance(value, dict) and chance.random() < 0.2:
        value[chance.choice(("name", "resource", "asInt", "\0"))] = value[key]
