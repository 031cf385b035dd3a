"""`google.rpc.Status`, the body of every error answer of OTLP, and its details: `BadRequest`, which describes bad data,
and `RetryInfo`, which says when to come again.

The messages have a few fields that we fill. Descriptors made here cost few lines; googleapis-common-protos would bring
a hundred generated modules for it. They live in a pool of their own, so that both can be in one process.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

from memwarden_collector.otlp.encoding import Encoding

# google.rpc.Code for the HTTP status that we answer with.
_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
_UNKNOWN: Final = 2
_BAD_REQUEST: Final = 400
_NANOSECONDS: Final = 1_000_000_000
_TYPES: Final = "type.googleapis.com/google.rpc."
_Field = descriptor_pb2.FieldDescriptorProto
# Message → field → its number, what it holds, whether it repeats.
_MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str, bool]]]] = {
    "Status": {
        "code": (1, "int32", False),
        "message": (2, "string", False),
        "details": (3, ".google.protobuf.Any", True),
    },
    "RetryInfo": {"retry_delay": (1, ".google.protobuf.Duration", False)},
    "FieldViolation": {"field": (1, "string", False), "description": (2, "string", False)},
    "BadRequest": {"field_violations": (1, ".google.rpc.FieldViolation", True)},
}
_KINDS: Final = {"int32": _Field.TYPE_INT32, "string": _Field.TYPE_STRING}


def _make_classes() -> tuple[type[Any], ...]:
    file = descriptor_pb2.FileDescriptorProto(
        name="google/rpc/status.proto",
        package="google.rpc",
        syntax="proto3",
        dependency=["google/protobuf/any.proto", "google/protobuf/duration.proto"],
    )
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, (number, kind, repeats) in fields.items():
            field = made.field.add(name=name, number=number)
            field.label = _Field.LABEL_REPEATED if repeats else _Field.LABEL_OPTIONAL
            if kind in _KINDS:
                field.type = _KINDS[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, kind
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return tuple(
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}"))
        for name in _MESSAGES
    )


Status, RetryInfo, _, BadRequest = _make_classes()


def code_of(http_status: int) -> int:
    """The google.rpc.Code, which gRPC's own codes are."""
    return _CODES.get(http_status, _UNKNOWN)


def status_message(http_status: int, message: str, retry_seconds: float | None = None) -> bytes:
    """A serialised Status; with `retry_seconds` it asks to come again after them."""
    status = Status(code=code_of(http_status), message=message)
    if http_status == _BAD_REQUEST:
        bad = BadRequest(field_violations=[{"description": message}])
        status.details.add(type_url=f"{_TYPES}BadRequest", value=bad.SerializeToString())
    if retry_seconds is not None:
        retry = RetryInfo()
        delay = round(retry_seconds * _NANOSECONDS)
        retry.retry_delay.seconds, retry.retry_delay.nanos = divmod(delay, _NANOSECONDS)
        status.details.add(type_url=f"{_TYPES}RetryInfo", value=retry.SerializeToString())
    body: bytes = status.SerializeToString()
    return body


def status_body(http_status: int, message: str, encoding: Encoding) -> bytes:
    """In the encoding of the request; when to come again is in a header over HTTP."""
    if encoding is Encoding.PROTOBUF:
        return status_message(http_status, message)
    status: dict[str, object] = {"code": code_of(http_status), "message": message}
    if http_status == _BAD_REQUEST:
        bad = {"@type": f"{_TYPES}BadRequest", "fieldViolations": [{"description": message}]}
        status["details"] = [bad]
    return json.dumps(status).encode()
