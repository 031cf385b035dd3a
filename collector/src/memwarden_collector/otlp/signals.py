"""What OTLP sends here: for each signal its messages, how it is decoded and how it is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)

from memwarden_api.names import LOGS_PATH, METRICS_PATH, PROFILES_PATH
from memwarden_collector.batch import ResourceBlock, Signal
from memwarden_collector.clock import Now
from memwarden_collector.otlp.logs import decode_logs, logs_response
from memwarden_collector.otlp.metrics import decode_metrics, metrics_response
from memwarden_collector.otlp.profiles import decode_profiles
from memwarden_collector.otlp.profiles_codec import profiles_response
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits


@dataclass(frozen=True, slots=True)
class Door:
    """One signal. `decode` takes a message of the class `request`."""

    signal: Signal
    path: str
    service: str
    """Its name in gRPC; the one method is Export."""
    request: type[Message]
    decode: Callable[[Any, Limits, Now], tuple[list[ResourceBlock], Rejections]]
    respond: Callable[[Rejections], Message]


_PACKAGE: Final = "opentelemetry.proto.collector"
_DOORS: Final = (
    Door(
        Signal.METRICS,
        METRICS_PATH,
        f"{_PACKAGE}.metrics.v1.MetricsService",
        ExportMetricsServiceRequest,
        decode_metrics,
        metrics_response,
    ),
    Door(
        Signal.PROFILES,
        PROFILES_PATH,
        f"{_PACKAGE}.profiles.v1development.ProfilesService",
        ExportProfilesServiceRequest,
        decode_profiles,
        profiles_response,
    ),
    Door(
        Signal.LOGS,
        LOGS_PATH,
        f"{_PACKAGE}.logs.v1.LogsService",
        ExportLogsServiceRequest,
        decode_logs,
        logs_response,
    ),
)
DOORS: Final = {door.path: door for door in _DOORS}
"""By the path of OTLP over HTTP."""
