"""Logs: events of our sidecars and chunks of snapshots are kept; whatever else is answered "not stored".

What a program logs says nothing about its memory. A client that sends everything to one place is told so by partial
success, and neither tries again nor believes that its logs are kept.
"""

import hashlib
import json
from typing import Final
from uuid import UUID

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs

from memwarden_api import names
from memwarden_collector.batch import Attributes, EventRow, Json, ResourceBlock
from memwarden_collector.clock import Now
from memwarden_collector.otlp.attributes import AttributeReader, BadAttributes
from memwarden_collector.otlp.identity import identify
from memwarden_collector.otlp.metrics import time_check
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits
from memwarden_collector.snapshots import Chunk, Declared

_NOT_STORED: Final = (
    "logs are not stored here, but events and snapshots of our sidecars; send metrics and profiles"
)
_UUID_TIMED: Final = 7
_SHA256_BYTES: Final = 32
_MAX_CHUNKS: Final = 1 << 20
_KIND_BYTES: Final = 64


def decode_logs(
    request: ExportLogsServiceRequest, limits: Limits, now: Now
) -> tuple[list[ResourceBlock], Rejections]:
    """Blocks with events and chunks, and what was rejected."""
    walk = _Walk(limits, now)
    for resource in request.resource_logs:
        walk.resource(resource)
    return [block for block in walk.blocks.values() if block.events or block.chunks], walk.rejections


def logs_response(rejections: Rejections) -> ExportLogsServiceResponse:
    """The answer to a request that was taken, as a whole or in part."""
    response = ExportLogsServiceResponse()
    if message := rejections.message():
        response.partial_success.rejected_log_records = rejections.count
        response.partial_success.error_message = message
    return response


class _Walk:
    """One walk over a request."""

    def __init__(self, limits: Limits, now: Now) -> None:
        self.rejections = Rejections("log records")
        self.blocks: dict[bytes, ResourceBlock] = {}
        self._limits = limits
        self._reader = AttributeReader(limits, self.rejections)
        self._check_time = time_check(limits, now)

    def resource(self, message: ResourceLogs) -> None:
        records = [record for scope in message.scope_logs for record in scope.log_records]
        if not any(pair.key == names.SCOPE_ID for pair in message.resource.attributes):
            self.rejections.reject("not_stored", _NOT_STORED, len(records))
            return
        limits = self._limits
        try:
            attributes = self._reader.read(
                message.resource.attributes, limits.max_resource_attributes, "max_resource_attributes"
            )
            identity = identify(attributes)
        except BadAttributes as bad:
            self.rejections.reject(bad.reason, f"resource: {bad.text}", len(records))
            return
        block = self.blocks.setdefault(identity.fp, ResourceBlock(identity, attributes))
        block.attributes = attributes
        for record in records:
            try:
                self._record(record, block)
            except BadAttributes as bad:
                self.rejections.reject(bad.reason, bad.text)

    def _record(self, record: LogRecord, block: ResourceBlock) -> None:
        """Raises BadAttributes for what is not kept."""
        attributes = self._reader.read(record.attributes, self._limits.max_attributes, "max_attributes")
        if names.SNAPSHOT_ID in attributes:
            block.chunks.append(self._chunk(record, attributes, block.identity.scope))
        else:
            block.events.append(self._event(record, attributes))
        block.items += 1

    def _event(self, record: LogRecord, attributes: Attributes) -> EventRow:
        name = record.event_name or attributes.pop(names.EVENT_NAME, "")
        if not isinstance(name, str) or not name.startswith(names.EVENT_PREFIX):
            raise BadAttributes("not_stored", _NOT_STORED)
        nanoseconds = int(record.time_unix_nano or record.observed_time_unix_nano)
        if (late := self._check_time(nanoseconds)) is not None:
            raise BadAttributes(*late)
        body = self._reader.value(record.body)
        text = body if isinstance(body, str) else "" if body is None else json.dumps(body, ensure_ascii=False)
        canonical = json.dumps(attributes, sort_keys=True, ensure_ascii=False)
        return EventRow(nanoseconds // 1000, self._reader.key(name), text, canonical)

    def _chunk(self, record: LogRecord, attributes: Attributes, scope: str) -> Chunk:
        if record.body.WhichOneof("value") != "bytes_value":
            raise BadAttributes("snapshot", "the body of a snapshot's chunk is not bytes")
        body = record.body.bytes_value
        limit = self._limits.max_snapshot_chunk_bytes
        if len(body) > limit:
            raise BadAttributes(
                "snapshot_chunk_bytes",
                f"a chunk has {len(body)} bytes, over max_snapshot_chunk_bytes={limit}",
            )
        size, chunks, index = (
            _whole(attributes, key)
            for key in (names.SNAPSHOT_SIZE, names.SNAPSHOT_CHUNKS, names.SNAPSHOT_CHUNK)
        )
        if size > self._limits.max_snapshot_bytes:
            raise BadAttributes(
                "snapshot_bytes",
                f"a snapshot of {size} bytes is over max_snapshot_bytes={self._limits.max_snapshot_bytes}",
            )
        kind = attributes.get(names.SNAPSHOT_KIND)
        if not isinstance(kind, str) or not 0 < len(kind.encode()) <= _KIND_BYTES:
            raise BadAttributes(
                "snapshot", f"{names.SNAPSHOT_KIND} is not a text of 1 to {_KIND_BYTES} bytes"
            )
        whole = Declared(
            _snapshot_id(attributes[names.SNAPSHOT_ID]),
            scope,
            kind,
            size,
            chunks,
            _sha256(attributes, names.SNAPSHOT_SHA256),
        )
        chunk = Chunk(whole, index, body)
        if not 0 < chunks <= min(size, _MAX_CHUNKS) or index >= chunks or chunk.offset is None:
            raise BadAttributes(
                "snapshot",
                f"chunk {index} of {chunks} with {len(body)} bytes is none of a snapshot of {size} bytes: all but"
                " the last have one size",
            )
        if hashlib.sha256(body).digest() != _sha256(attributes, names.SNAPSHOT_CHUNK_SHA256):
            raise BadAttributes(
                "snapshot_checksum", f"chunk {index} is not what its sha256 says; send it again"
            )
        return chunk


def _snapshot_id(value: Json) -> UUID:
    try:
        found = UUID(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.version != _UUID_TIMED:
        raise BadAttributes("snapshot", f"{names.SNAPSHOT_ID} is not a UUID of version 7")
    return found


def _whole(attributes: Attributes, key: str) -> int:
    value = attributes.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
        raise BadAttributes("snapshot", f"{key} is not a whole number")
    return value


def _sha256(attributes: Attributes, key: str) -> bytes:
    value = attributes.get(key)
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        found = b""
    if len(found) != _SHA256_BYTES:
        raise BadAttributes("snapshot", f"{key} is not a sha256 in hexadecimal")
    return found
