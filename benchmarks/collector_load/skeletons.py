"""Requests as byte strings whose times and values can be written over: a generator must be cheaper than what it tests.

OTLP's number points have times and values of fixed length, so requests of one sender differ in those bytes and in
nothing else until a process starts or a series comes. A skeleton is such a request, made by the sidecar's own encoder
or by OpenTelemetry's classes; who it is of is written into placeholders of the same length.
"""

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from memwarden_sidecar.export.metrics import encode
from memwarden_sidecar.export.resources import ScopeIdentity, any_value
from memwarden_sidecar.observation import HeapSample, Observation, ProcessIdentity, ProcessSample, ScopeSample
from memwarden_sidecar.probes.census import Census, TypeCount
from memwarden_sidecar.probes.table import Counters
from memwarden_sidecar.sources.memory_limit import Room
from memwarden_sidecar.sources.proc_files import ProcessKey

WHO = "NNNNNNNN"
"""Stands for the sender's number."""
GENERATION = "GGGGGG"
"""Stands for how often it was started again: a string that changes."""
_TIMES = (0x0101010101010101, 0x0202020202020202)
_MARK = 0x4141414141414141
_OTHER = 0x4242424242424242
_FIXED = struct.Struct("<q")
_DOUBLE = struct.Struct("<d")


@dataclass(frozen=True, slots=True)
class Skeleton:
    body: bytes
    times: tuple[int, ...]
    """Offsets of time_unix_nano, 8 bytes each."""
    whole: tuple[int, ...]
    """Offsets of values that are integers."""
    real: tuple[int, ...]
    """Offsets of values that are doubles."""

    @property
    def points(self) -> int:
        return len(self.times)

    def of(self, who: int, generation: int = 0) -> "Skeleton":
        """The same from another sender."""
        body = self.body.replace(WHO.encode(), f"{who:08d}".encode())
        body = body.replace(GENERATION.encode(), f"{generation:06d}".encode())
        return Skeleton(body, self.times, self.whole, self.real)

    def at(self, nanoseconds: int, random_source: random.Random) -> bytes:
        """A request of this moment, with values of its own."""
        body = bytearray(self.body)
        time = _FIXED.pack(nanoseconds)
        for place in self.times:
            body[place : place + 8] = time
        value = random_source.randrange(1 << 20, 1 << 30)
        for place in self.whole:
            value += 4096
            body[place : place + 8] = _FIXED.pack(value)
        for place in self.real:
            value += 4096
            body[place : place + 8] = _DOUBLE.pack(value / 7)
        return bytes(body)


def skeleton(body: bytes) -> Skeleton:
    """Find what varies, by writing two different marks into every point and looking where the bytes differ."""

    def marked(time: int, whole: int, real: bytes) -> bytes:
        message = ExportMetricsServiceRequest.FromString(body)
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in getattr(metric, metric.WhichOneof("data")).data_points:
                        point.time_unix_nano = time
                        if point.WhichOneof("value") == "as_int":
                            point.as_int = whole
                        else:
                            point.as_double = _DOUBLE.unpack(real)[0]
        return message.SerializeToString()

    zero, one = b"A" * 8, b"B" * 8
    plain = marked(_TIMES[0], _MARK, zero)
    return Skeleton(
        plain,
        _runs(plain, marked(_TIMES[1], _MARK, zero)),
        _runs(plain, marked(_TIMES[0], _OTHER, zero)),
        _runs(plain, marked(_TIMES[0], _MARK, one)),
    )


def _runs(left: bytes, right: bytes) -> tuple[int, ...]:
    places = [place for place, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
    return tuple(places[::8])


def gathered(parts: Sequence[Skeleton]) -> Skeleton:
    """One request of several, as a gateway that batches sends it."""
    begins = list(accumulate((len(one.body) for one in parts), initial=0))

    def moved(name: str) -> tuple[int, ...]:
        return tuple(
            begin + place for begin, one in zip(begins, parts, strict=False) for place in getattr(one, name)
        )

    return Skeleton(b"".join(one.body for one in parts), moved("times"), moved("whole"), moved("real"))


@cache
def sidecar(shape: int) -> Skeleton:
    """One tick of a sidecar: the scope, one or two processes with a heap, a census in every third shape. `shape` is
    which types and how many processes there are.
    """
    scope = ScopeIdentity(
        id=f"pod-{WHO}/app",
        service=f"shop-{shape % 97}",
        host=f"node-{shape % 50}",
        command_line=f"python -m shop --generation={GENERATION} --shape={shape}",
        interval=15.0,
        kind="container",
        attributes=(
            ("k8s.namespace.name", f"team-{shape % 13}"),
            ("k8s.pod.name", f"shop-{shape % 97}-{WHO}"),
            ("k8s.pod.uid", f"{WHO}-0000-4000-8000-00000000{shape % 10_000:04d}"),
            ("k8s.container.name", "app"),
            ("k8s.deployment.name", f"shop-{shape % 97}"),
        ),
    )
    processes = tuple(_process(shape, pid) for pid in range(100, 101 + shape % 2))
    seen = Observation(
        1000.0, ScopeSample(1 << 27, 12.5, len(processes), Room(1 << 29, "cgroup", 1 << 28)), processes
    )
    return skeleton(next(iter(encode(scope, seen, 900.0))))


def _process(shape: int, pid: int) -> ProcessSample:
    counters = Counters(pid, 1, False, 524_288, 0, 1e8, 200, 1 << 33, 1.0, (120, 11, 2), 0.25, False, "")
    types = tuple(TypeCount(f"shop.models.Type{(shape * 7 + n) % 40}", 1000, 48_000) for n in range(6))
    identity = ProcessIdentity(
        ProcessKey(pid, 1234),
        1,
        1_700_000_000.5 + shape,
        f"python -m shop --generation={GENERATION}",
        "/usr/bin/python3.12",
        "cpython",
        "3.12.4",
        True,
        "",
        ("/usr/lib/python3.12",),
    )
    return ProcessSample(
        identity,
        1 << 28,
        1 << 27,
        3.5,
        4,
        20,
        HeapSample(counters, 9e7, 200, 0.1),
        Census(types, (), ()) if shape % 3 == 0 else None,
    )


@cache
def narrow(points: int, resources: int = 1) -> Skeleton:
    """Points of a foreign service, 40 to a metric's name at most, twelve attributes on the resource, two on a point."""
    message = ExportMetricsServiceRequest()
    left = points
    for number in range(resources):
        resource = message.resource_metrics.add()
        for key, value in _service(number):
            resource.resource.attributes.add(key=key).value.CopyFrom(any_value(value))
        scope = resource.scope_metrics.add()
        scope.scope.name = "app.metrics"
        share = -(-left // (resources - number))
        left -= share
        metric = None
        for place in range(share):
            if place % 8 == 0:
                metric = scope.metrics.add(name=f"app.memory.pool{place // 8}.used", unit="By")
            point = metric.gauge.data_points.add(time_unix_nano=1)
            point.attributes.add(key="pool").value.string_value = f"pool-{place % 8}"
            point.attributes.add(key="kind").value.string_value = "heap"
            if place % 2:
                point.as_double = 1.5
            else:
                point.as_int = 1
    return skeleton(message.SerializeToString())


def _service(number: int) -> Sequence[tuple[str, str | int]]:
    return (
        ("service.name", f"service-{WHO}"),
        ("service.namespace", "load"),
        ("service.instance.id", f"{WHO}-{number}"),
        ("service.version", f"1.{GENERATION}"),
        ("k8s.namespace.name", "load"),
        ("k8s.pod.name", f"service-{WHO}-{number}"),
        ("k8s.node.name", "node-7"),
        ("k8s.deployment.name", "service"),
        ("host.name", "node-7"),
        ("process.pid", 7),
        ("process.runtime.name", "go"),
        ("telemetry.sdk.language", "go"),
    )
