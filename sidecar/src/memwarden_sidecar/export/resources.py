"""OTLP resources: the scope, and each process of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from memwarden_api import names
from memwarden_sidecar.observation import ProcessIdentity

Value = str | int | float | Sequence[str]


@dataclass(frozen=True, slots=True)
class ScopeIdentity:
    """What all resources of a sidecar have in common."""

    id: str
    service: str
    host: str
    command_line: str
    interval: float
    kind: str = names.SCOPE_KIND_RUN
    attributes: tuple[tuple[str, str], ...] = ()
    """Further ones: of which pod and workload it is."""


def any_value(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=_sendable(value))
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))


def attributes(pairs: Iterable[tuple[str, Value]]) -> list[KeyValue]:
    """Without those whose value is empty: absent says "not known"."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in pairs if value != "" and value != ()]


def scope_resource(scope: ScopeIdentity) -> Resource:
    return Resource(
        attributes=attributes([*_common(scope), (names.PROCESS_COMMAND_LINE, scope.command_line)])
    )


def process_resource(scope: ScopeIdentity, process: ProcessIdentity) -> Resource:
    pairs: list[tuple[str, Value]] = [
        *_common(scope),
        (names.PROCESS_PID, process.key.pid),
        (names.PROCESS_PARENT_PID, process.parent_pid),
        (names.PROCESS_CREATION_TIME, process.created),
        (names.PROCESS_COMMAND_LINE, process.command_line),
        (names.PROCESS_EXECUTABLE_PATH, process.executable),
        (names.PROCESS_RUNTIME_NAME, process.runtime),
        (names.PROCESS_RUNTIME_VERSION, process.runtime_version),
        (names.PROBE_STATE, names.PROBE_STATE_HOOKED if process.hooked else names.PROBE_STATE_OUTSIDE),
        (names.PROBE_REASON, process.reason),
        (names.CODE_LIBRARY_PREFIXES, process.library_prefixes),
    ]
    if process.ended is not None:
        pairs.append((names.PROCESS_ENDED, process.ended))
    return Resource(attributes=attributes(pairs))


def _common(scope: ScopeIdentity) -> list[tuple[str, Value]]:
    return [
        (names.SCOPE_ID, scope.id),
        (names.SCOPE_KIND, scope.kind),
        (names.SAMPLE_INTERVAL, float(scope.interval)),
        (names.SERVICE_NAME, scope.service),
        (names.HOST_NAME, scope.host),
        *scope.attributes,
    ]


def _sendable(text: str) -> str:
    """Protobuf takes valid Unicode only; file names may hold bytes that are none."""
    return text.encode("utf-8", "replace").decode()
