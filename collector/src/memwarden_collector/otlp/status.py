"""`google.rpc.Status`, the body of every error answer of OTLP, and `RetryInfo`, its detail that says when to come
again.

The messages have a few fields that we fill. A descriptor made here costs few lines; googleapis-common-protos
would bring a hundred generated modules for it. It lives in a pool of its own, so that both can be in one
process.
"""

import json
from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

from memwarden_collector.otlp.encoding import Encoding

# google.rpc.Code for the HTTP status that we answer with.
_CODES: Final = {400: 3, 401: 16, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
_UNKNOWN: Final = 2
_NANOSECONDS: Final = 1_000_000_000


def _make_classes() -> tuple[type[Any], type[Any]]:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="google/rpc/status.proto",
        package="google.rpc",
        syntax="proto3",
        dependency=["google/protobuf/any.proto", "google/protobuf/duration.proto"],
    )
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    status.field.add(
        name="details",
        number=3,
        type=field.TYPE_MESSAGE,
        label=field.LABEL_REPEATED,
        type_name=".google.protobuf.Any",
    )
    retry = file.message_type.add(name="RetryInfo")
    retry.field.add(
        name="retry_delay",
        number=1,
        type=field.TYPE_MESSAGE,
        label=field.LABEL_OPTIONAL,
        type_name=".google.protobuf.Duration",
    )
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return (
        message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status")),
        message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.RetryInfo")),
    )


Status, RetryInfo = _make_classes()


def code_of(http_status: int) -> int:
    """The google.rpc.Code, which gRPC's own codes are."""
    return _CODES.get(http_status, _UNKNOWN)


def status_message(http_status: int, message: str, retry_seconds: float | None = None) -> bytes:
    """A serialised Status; with `retry_seconds` it asks to come again after them."""
    status = Status(code=code_of(http_status), message=message)
    if retry_seconds is not None:
        delay = round(retry_seconds * _NANOSECONDS)
        retry = RetryInfo()
        retry.retry_delay.seconds, retry.retry_delay.nanos = divmod(delay, _NANOSECONDS)
        status.details.add(
            type_url="type.googleapis.com/google.rpc.RetryInfo", value=retry.SerializeToString()
        )
    body: bytes = status.SerializeToString()
    return body


def status_body(http_status: int, message: str, encoding: Encoding) -> bytes:
    """In the encoding of the request; when to come again is in a header over HTTP."""
    if encoding is Encoding.JSON:
        return json.dumps({"code": code_of(http_status), "message": message}).encode()
    return status_message(http_status, message)
