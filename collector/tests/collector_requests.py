"""Requests as the sidecar sends them, made with opentelemetry-proto's own classes."""

import time
import uuid
from collections.abc import Mapping, Sequence

import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, ResourceMetrics
from opentelemetry.proto.profiles.v1development.profiles_pb2 import Profile, ProfilesDictionary

from memwarden_api import names

CUMULATIVE = {
    names.CPU_TIME,
    names.PROCESS_CPU_TIME,
    names.HEAP_ALLOCATED,
    names.GC_COLLECTIONS,
    names.PROBE_CPU_TIME,
}
PROTOBUF = {"content-type": "application/x-protobuf"}
Point = tuple[str, float | int, dict[str, object]]


def any_value(value: object) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list | tuple):
        result = AnyValue()
        result.array_value.values.extend(any_value(one) for one in value)
        return result
    raise TypeError(type(value))


def pairs(attributes: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def scope_attributes(scope: str, **more: object) -> dict[str, object]:
    return {
        names.SCOPE_ID: scope,
        names.SCOPE_KIND: names.SCOPE_KIND_RUN,
        names.SAMPLE_INTERVAL: 1.0,
        names.SERVICE_NAME: "app",
        names.HOST_NAME: "machine",
        names.PROCESS_COMMAND_LINE: "python app.py",
        **more,
    }


def process_attributes(
    scope: str, pid: int = 100, created: float = 1000.5, **more: object
) -> dict[str, object]:
    return {
        names.SCOPE_ID: scope,
        names.SCOPE_KIND: names.SCOPE_KIND_RUN,
        names.SAMPLE_INTERVAL: 1.0,
        names.PROCESS_PID: pid,
        names.PROCESS_PARENT_PID: 1,
        names.PROCESS_CREATION_TIME: created,
        names.PROCESS_COMMAND_LINE: "python app.py",
        names.PROCESS_EXECUTABLE_PATH: "/usr/bin/python",
        names.PROCESS_RUNTIME_NAME: "cpython",
        names.PROCESS_RUNTIME_VERSION: "3.11.7",
        names.PROBE_STATE: names.PROBE_STATE_HOOKED,
        names.CODE_LIBRARY_PREFIXES: ["/usr/lib/python3.11"],
        **more,
    }


def add_resource(
    request: ExportMetricsServiceRequest, attributes: Mapping[str, object], at: float, points: Sequence[Point]
) -> ResourceMetrics:
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(pairs(attributes))
    scope = resource.scope_metrics.add()
    for name, value, own in points:
        metric = scope.metrics.add(name=name, unit="By")
        if name in CUMULATIVE:
            metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
            metric.sum.is_monotonic = True
            point = metric.sum.data_points.add()
        else:
            point = metric.gauge.data_points.add()
        point.time_unix_nano = round(at * 1e6) * 1000
        if isinstance(value, int):
            point.as_int = value
        else:
            point.as_double = value
        point.attributes.extend(pairs(own))
    return resource


def metrics(scope: str, at: float, anon: float = 1e8, pid: int = 100) -> ExportMetricsServiceRequest:
    """One tick: the scope and one process."""
    request = ExportMetricsServiceRequest()
    add_resource(
        request,
        scope_attributes(scope),
        at,
        [
            (names.MEMORY_ANON, anon, {}),
            (names.MEMORY_LIMIT, 1 << 30, {names.LIMIT_SOURCE: "option"}),
            (names.MEMORY_AVAILABLE, 1 << 31, {}),
            (names.CPU_TIME, 1.5, {}),
            (names.PROCESS_COUNT, 1, {}),
        ],
    )
    add_resource(
        request,
        process_attributes(scope, pid),
        at,
        [
            (names.PROCESS_MEMORY_USAGE, anon * 1.2, {}),
            (names.PROCESS_MEMORY_ANON, anon, {}),
            (names.PROCESS_CPU_TIME, 1.5, {}),
            (names.PROCESS_THREAD_COUNT, 3, {}),
            (names.PROCESS_FD_COUNT, 12, {}),
            (names.HEAP_LIVE, anon * 0.8, {}),
            (names.HEAP_ALLOCATED, int(anon * 10), {}),
            (names.HEAP_SAMPLES, 200, {}),
            (names.HEAP_SAMPLING_INTERVAL, 524288, {}),
            (names.PROBE_SILENCE, 0.1, {}),
            *(
                (names.GC_COLLECTIONS, 10 * generation, {names.GC_GENERATION: generation})
                for generation in range(3)
            ),
            (names.OBJECTS_COUNT, 1000, {names.OBJECT_TYPE: "builtins.dict"}),
        ],
    )
    return request


Stack = tuple[tuple[str, int, str], ...]
Cell = tuple[Stack, str, int, int, int]
"""Stack (innermost first), age bound, live bytes, blocks, samples."""


class Dictionary:
    """Builds a dictionary whose index 0 is the zero value everywhere, as the proto asks for."""

    def __init__(self) -> None:
        self.message = ProfilesDictionary()
        self.message.string_table.append("")
        for table in (
            "mapping_table",
            "location_table",
            "function_table",
            "link_table",
            "attribute_table",
            "stack_table",
        ):
            getattr(self.message, table).add()
        self._known: dict[object, int] = {}

    def string(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.message.string_table)
            self.message.string_table.append(text)
        return self._known[text]

    def location(self, file: str, line: int, name: str) -> int:
        key = ("location", file, line, name)
        if key not in self._known:
            function = len(self.message.function_table)
            self.message.function_table.add(
                filename_strindex=self.string(file), name_strindex=self.string(name)
            )
            self._known[key] = len(self.message.location_table)
            self.message.location_table.add().lines.add(function_index=function, line=line)
        return self._known[key]

    def stack(self, frames: Stack) -> int:
        if frames not in self._known:
            locations = [self.location(*frame) for frame in frames]
            self._known[frames] = len(self.message.stack_table)
            self.message.stack_table.add(location_indices=locations)
        return self._known[frames]

    def age(self, upper: str) -> int:
        key = ("age", upper)
        if key not in self._known:
            self._known[key] = len(self.message.attribute_table)
            value = AnyValue(string_value=upper) if upper == "inf" else AnyValue(int_value=int(upper))
            self.message.attribute_table.add(key_strindex=self.string(names.PROFILE_AGE), value=value)
        return self._known[key]


def profiles(scope: str, at: float, cells: Sequence[Cell], pid: int = 100) -> ExportProfilesServiceRequest:
    """One moment of one process: three Profiles on one dictionary."""
    request = ExportProfilesServiceRequest()
    dictionary = Dictionary()
    resource = request.resource_profiles.add()
    resource.resource.attributes.extend(pairs(process_attributes(scope, pid)))
    target = resource.scope_profiles.add()
    for place, (name, unit) in enumerate(zip(names.PROFILE_TYPES, ("bytes", "count", "count"), strict=True)):
        profile = target.profiles.add(time_unix_nano=round(at * 1e6) * 1000)
        profile.sample_type.type_strindex = dictionary.string(name)
        profile.sample_type.unit_strindex = dictionary.string(unit)
        for stack, age, *values in cells:
            profile.samples.add(
                stack_index=dictionary.stack(stack),
                attribute_indices=[dictionary.age(age)],
                values=[values[place]],
            )
    request.dictionary.CopyFrom(dictionary.message)
    return request


def first_profile(request: ExportProfilesServiceRequest) -> Profile:
    return request.resource_profiles[0].scope_profiles[0].profiles[0]


def batch_id() -> str:
    """A UUIDv7."""
    raw = (int(time.time() * 1000) << 80) | (uuid.uuid4().int & ((1 << 80) - 1))
    raw = (raw & ~(0xF << 76)) | (7 << 76)
    return str(uuid.UUID(int=(raw & ~(3 << 62)) | (2 << 62)))


def post_metrics(
    client: httpx.Client, body: ExportMetricsServiceRequest | bytes, **headers: str
) -> httpx.Response:
    data = body if isinstance(body, bytes) else body.SerializeToString()
    own = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.post(names.METRICS_PATH, content=data, headers={**PROTOBUF, **own})


def post_profiles(
    client: httpx.Client, body: ExportProfilesServiceRequest | bytes, **headers: str
) -> httpx.Response:
    data = body if isinstance(body, bytes) else body.SerializeToString()
    own = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.post(names.PROFILES_PATH, content=data, headers={**PROTOBUF, **own})


def metrics_answer(response: httpx.Response) -> ExportMetricsServiceResponse:
    assert response.status_code == 200, response.content
    return ExportMetricsServiceResponse.FromString(response.content)


def profiles_answer(response: httpx.Response) -> ExportProfilesServiceResponse:
    assert response.status_code == 200, response.content
    return ExportProfilesServiceResponse.FromString(response.content)
