"""Logs: read, counted, and answered "not stored" by partial success.

Nothing here reads logs yet: what a program logs says nothing about its memory. A client that sends everything to one
place is told so, in the words of the protocol, and neither tries again nor believes that they are kept.
"""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from memwarden_collector.batch import ResourceBlock
from memwarden_collector.clock import Now
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits


def decode_logs(
    request: ExportLogsServiceRequest, limits: Limits, now: Now
) -> tuple[list[ResourceBlock], Rejections]:
    """No blocks, and what was rejected: everything."""
    rejections = Rejections("log records")
    count = sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)
    rejections.reject(
        "not_stored", "logs are not stored by this collector; send it metrics and profiles", count
    )
    return [], rejections


def logs_response(rejections: Rejections) -> ExportLogsServiceResponse:
    """The answer to a request that was taken, as a whole or in part."""
    response = ExportLogsServiceResponse()
    if message := rejections.message():
        response.partial_success.rejected_log_records = rejections.count
        response.partial_success.error_message = message
    return response
