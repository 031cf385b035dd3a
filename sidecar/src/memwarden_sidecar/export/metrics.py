"""Metrics of one tick as an OTLP request: a resource for the scope, one for each process.

The message is MetricsData, which has the bytes of an ExportMetricsServiceRequest.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, Literal

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from memwarden_api import names
from memwarden_sidecar.export.resources import ScopeIdentity, attributes, process_resource, scope_resource
from memwarden_sidecar.observation import HeapSample, Observation, ProcessSample, ScopeSample
from memwarden_sidecar.probes.census import Census
from memwarden_sidecar.probes.holdings import CacheSize, ContainerSize
from memwarden_sidecar.settings import PROCESSES_A_REQUEST

LIBRARY: Final = InstrumentationScope(name="memwarden_sidecar")
Shape = Literal["gauge", "up-down", "counter"]
Labels = Sequence[tuple[str, str | int]]


def encode(scope: ScopeIdentity, seen: Observation, started: float) -> Iterator[bytes]:
    """Requests of one tick, one as a rule. `started` is when counting began, in Unix seconds."""
    pen = _Pen(_nanoseconds(seen.time), _nanoseconds(started))
    blocks = [pen.block(scope_resource(scope), pen.scope(seen.scope))]
    for process in seen.processes:
        if len(blocks) > PROCESSES_A_REQUEST:
            yield MetricsData(resource_metrics=blocks).SerializeToString()
            blocks = []
        own = _Pen(pen.time, _nanoseconds(process.identity.created))
        blocks.append(own.block(process_resource(scope, process.identity), own.process(process)))
    yield MetricsData(resource_metrics=blocks).SerializeToString()


class _Pen:
    """Writes metrics of one resource at one time, in Unix nanoseconds."""

    def __init__(self, time: int, start: int) -> None:
        self.time = time
        self._start = min(start, time)

    def block(self, resource: Resource, metrics: Iterable[Metric | None]) -> ResourceMetrics:
        known = [metric for metric in metrics if metric is not None]
        return ResourceMetrics(resource=resource, scope_metrics=[ScopeMetrics(scope=LIBRARY, metrics=known)])

    def scope(self, seen: ScopeSample) -> Iterator[Metric | None]:
        yield self._one(names.MEMORY_ANON, "By", "gauge", seen.anon)
        yield self._one(names.CPU_TIME, "s", "counter", seen.cpu)
        yield self._one(names.PROCESS_COUNT, "{process}", "gauge", seen.processes)
        if seen.room is not None:
            yield self._one(names.MEMORY_AVAILABLE, "By", "gauge", seen.room.available)
            source = attributes([(names.LIMIT_SOURCE, seen.room.source)])
            yield self._one(names.MEMORY_LIMIT, "By", "gauge", seen.room.limit, source)

    def process(self, seen: ProcessSample) -> Iterator[Metric | None]:
        yield self._one(names.PROCESS_MEMORY_USAGE, "By", "up-down", seen.rss)
        yield self._one(names.PROCESS_MEMORY_ANON, "By", "gauge", seen.anon)
        yield self._one(names.PROCESS_CPU_TIME, "s", "counter", seen.cpu)
        yield self._one(names.PROCESS_THREAD_COUNT, "{thread}", "up-down", seen.threads)
        yield self._one(names.PROCESS_FD_COUNT, "{file_descriptor}", "up-down", seen.descriptors)
        if seen.heap is not None:
            yield from self._heap(seen.heap)
        if seen.census is not None:
            yield from self._census(seen.census)

    def _heap(self, heap: HeapSample) -> Iterator[Metric | None]:
        counters = heap.counters
        yield self._one(names.HEAP_LIVE, "By", "gauge", round(heap.live_size))
        yield self._one(names.HEAP_SAMPLES, "{sample}", "gauge", heap.live_samples)
        yield self._one(names.HEAP_ALLOCATED, "By", "counter", counters.allocated)
        yield self._one(names.HEAP_SAMPLING_INTERVAL, "By", "gauge", counters.average)
        yield self._one(names.PROBE_CPU_TIME, "s", "counter", counters.cost)
        yield self._one(names.PROBE_SILENCE, "s", "gauge", heap.silence)
        if counters.collections:
            points = [
                self._point(count, attributes([(names.GC_GENERATION, generation)]), cumulative=True)
                for generation, count in enumerate(counters.collections)
            ]
            yield self._metric(names.GC_COLLECTIONS, "{collection}", "counter", points)

    def _census(self, census: Census) -> Iterator[Metric | None]:
        of_type = [([(names.OBJECT_TYPE, entry.name)], entry) for entry in census.types]
        yield self._points(names.OBJECTS_COUNT, "{object}", [(key, entry.objects) for key, entry in of_type])
        yield self._points(names.OBJECTS_SIZE, "By", [(key, entry.size) for key, entry in of_type])
        of_cache = [(_cache_labels(cache), cache) for cache in census.caches]
        for name, unit, value in (
            (names.CACHE_ENTRIES, "{entry}", attrgetter("entries")),
            (names.CACHE_BOUND, "{entry}", attrgetter("bound")),
            (names.CACHE_BOUND_BYTES, "By", attrgetter("bound_bytes")),
            (names.CACHE_BOUND_AGE, "s", attrgetter("bound_age")),
            (names.CACHE_HITS, "{hit}", attrgetter("hits")),
            (names.CACHE_MISSES, "{miss}", attrgetter("misses")),
        ):
            yield self._points(name, unit, [(key, value(cache)) for key, cache in of_cache])
        of_container = [(_container_labels(one), one.entries) for one in census.containers]
        yield self._points(names.CONTAINER_ENTRIES, "{entry}", of_container)

    def _points(self, name: str, unit: str, values: Iterable[tuple[Labels, float | None]]) -> Metric | None:
        """A gauge with a point for each value that is known; None where none is."""
        points = [self._point(value, attributes(key)) for key, value in values if value is not None]
        return self._metric(name, unit, "gauge", points) if points else None

    def _one(
        self, name: str, unit: str, shape: Shape, value: float | None, labels: Iterable[KeyValue] = ()
    ) -> Metric | None:
        if value is None:
            return None
        return self._metric(name, unit, shape, [self._point(value, labels, cumulative=shape != "gauge")])

    def _point(
        self, value: float, labels: Iterable[KeyValue], *, cumulative: bool = False
    ) -> NumberDataPoint:
        start = self._start if cumulative else 0
        point = NumberDataPoint(time_unix_nano=self.time, start_time_unix_nano=start, attributes=labels)
        if isinstance(value, int):
            point.as_int = min(value, 2**63 - 1)
        else:
            point.as_double = value
        return point

    @staticmethod
    def _metric(name: str, unit: str, shape: Shape, points: list[NumberDataPoint]) -> Metric:
        if shape == "gauge":
            return Metric(name=name, unit=unit, gauge=Gauge(data_points=points))
        total = Sum(
            data_points=points,
            aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE,
            is_monotonic=shape == "counter",
        )
        return Metric(name=name, unit=unit, sum=total)


def _cache_labels(cache: CacheSize) -> Labels:
    return [
        (names.CACHE_ID, cache.id),
        (names.CACHE_KIND, cache.kind),
        (names.CACHE_NAME, cache.name),
        (names.CODE_FILE, cache.file),
        (names.CODE_LINE, cache.line or ""),
    ]


def _container_labels(container: ContainerSize) -> Labels:
    return [
        (names.CONTAINER_ID, container.id),
        (names.CONTAINER_TYPE, container.type),
        (names.CONTAINER_NAME, container.name),
    ]


def _nanoseconds(seconds: float) -> int:
    return max(0, round(seconds * 1e9))
