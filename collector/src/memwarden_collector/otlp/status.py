"""`google.rpc.Status`, the body of every error answer of OTLP.

The message has two fields that we fill. A descriptor made here costs ten lines; googleapis-common-protos
would bring a hundred generated modules for it. It lives in a pool of its own, so that both can be in one
process.
"""

import json
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# google.rpc.Code for the HTTP status that we answer with.
_CODES: Final = {400: 3, 401: 16, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
_UNKNOWN: Final = 2


def _make_class() -> type:
    file = descriptor_pb2.FileDescriptorProto(
        name="google/rpc/status.proto", package="google.rpc", syntax="proto3"
    )
    message = file.message_type.add(name="Status")
    field = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    message.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))


Status = _make_class()


def status_body(http_status: int, message: str, *, as_json: bool) -> tuple[bytes, bytes]:
    """(content type, body) in the encoding of the request."""
    code = _CODES.get(http_status, _UNKNOWN)
    if as_json:
        return b"application/json", json.dumps({"code": code, "message": message}).encode()
    body: bytes = Status(code=code, message=message).SerializeToString()
    return b"application/x-protobuf", body
