"""Metrics: an ExportMetricsServiceRequest becomes blocks for the store.

Points of gauges, sums, histograms, exponential histograms and summaries are stored. A point without a finite value,
without a time, or with a time outside the limits is rejected and counted; a point flagged "no recorded value" says
that there is nothing to store, and is not.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint, ResourceMetrics

from memwarden_api.names import LIMIT_SOURCE
from memwarden_collector.batch import (
    Attributes,
    Distribution,
    Json,
    ResourceBlock,
    SeriesId,
    SeriesInfo,
)
from memwarden_collector.clock import Now
from memwarden_collector.columns import LIMIT_SOURCES, WIDE, Column, level_of
from memwarden_collector.otlp.attributes import AttributeReader, BadAttributes
from memwarden_collector.otlp.distributions import READERS, BadDistribution
from memwarden_collector.otlp.identity import identify
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits

_NO_RECORDED_VALUE: Final = 1
_canonical: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
_WITH_TEMPORALITY: Final = frozenset({"sum", "histogram", "exponential_histogram"})
_TEMPORALITY: Final = {0: "", 1: "delta", 2: "cumulative"}


def decode_metrics(
    request: ExportMetricsServiceRequest, limits: Limits, now: Now
) -> tuple[list[ResourceBlock], Rejections]:
    """Blocks and what was rejected."""
    walk = _Walk(limits, now)
    for resource in request.resource_metrics:
        walk.resource(resource)
    return [block for block in walk.blocks.values() if block.rows], walk.rejections


def metrics_response(rejections: Rejections) -> ExportMetricsServiceResponse:
    """The answer to a request that was taken, as a whole or in part."""
    response = ExportMetricsServiceResponse()
    if message := rejections.message():
        response.partial_success.rejected_data_points = rejections.count
        response.partial_success.error_message = message
    return response


class _Walk:
    """One walk over a request."""

    def __init__(self, limits: Limits, now: Now) -> None:
        self.rejections = Rejections("points")
        self.blocks: dict[bytes, ResourceBlock] = {}
        self._limits = limits
        self._reader = AttributeReader(limits, self.rejections)
        self._check_time = time_check(limits, now)
        self._points = 0

    def resource(self, message: ResourceMetrics) -> None:
        limits = self._limits
        try:
            attributes = self._reader.read(
                message.resource.attributes, limits.max_resource_attributes, "max_resource_attributes"
            )
            identity = identify(attributes)
        except BadAttributes as bad:
            count = sum(len(_points(metric)) for scope in message.scope_metrics for metric in scope.metrics)
            self.rejections.reject(bad.reason, f"resource: {bad.text}", count)
            return
        block = self.blocks.setdefault(identity.fp, ResourceBlock(identity, attributes))
        block.attributes = attributes
        columns = WIDE[level_of(identity)]
        for scope in message.scope_metrics:
            for metric in scope.metrics:
                self._metric(metric, block, columns.get(metric.name))

    def _metric(self, metric: Metric, block: ResourceBlock, column: Column | None) -> None:
        kind = metric.WhichOneof("data")
        points = _points(metric)
        if kind is None:
            return
        try:
            name = self._reader.key(metric.name)
            unit = self._reader.key(metric.unit)
            if not name:
                raise BadAttributes("name", "a metric has no name")
        except BadAttributes as bad:
            self.rejections.reject(bad.reason, f"metric: {bad.text}", len(points))
            return
        data = getattr(metric, kind)
        temporality = _TEMPORALITY.get(data.aggregation_temporality, "") if kind in _WITH_TEMPORALITY else ""
        info = (unit, kind, temporality, kind == "sum" and bool(data.is_monotonic))
        read = READERS.get(kind)
        for point in points:
            value = self._value(point) if read is None else self._distribution(point, read)
            if value is None:
                continue
            try:
                attributes = self._reader.read(
                    point.attributes, self._limits.max_attributes, "max_attributes"
                )
            except BadAttributes as bad:
                self.rejections.reject(bad.reason, f"point: {bad.text}")
                continue
            time = int(point.time_unix_nano) // 1000
            if isinstance(value, Distribution):
                series = _series(block, name, attributes, info, shape=kind)
                block.distributions.append((time, series, value))
            elif column is not None and column.takes(attributes):
                if not self._wide(block.wide, time, column, value, attributes):
                    continue
            else:
                block.narrow.append((time, _series(block, name, attributes, info), value))
            block.items += 1

    def _wide(
        self,
        rows: dict[int, dict[str, float | str]],
        time: int,
        column: Column,
        value: float,
        attributes: Attributes,
    ) -> bool:
        source = next(iter(attributes.values()), None)
        if source is not None and source not in LIMIT_SOURCES:
            self.rejections.reject("limit_source", f"{LIMIT_SOURCE} is none of {', '.join(LIMIT_SOURCES)}")
            return False
        row = rows.setdefault(time, {})
        row[column.name] = value
        if source is not None:
            row[column.text_column] = str(source)
        return True

    def _value(self, point: NumberDataPoint) -> float | None:
        """The number of a point that may be stored; everything else is counted here."""
        if point.flags & _NO_RECORDED_VALUE:
            return None
        kind = point.WhichOneof("value")
        value = float(point.as_double) if kind == "as_double" else float(point.as_int)
        if kind is None:
            self.rejections.reject("no_value", "the point has no value")
        elif not math.isfinite(value):
            self.rejections.reject("not_finite", "the value is NaN or infinite")
        elif self._admits(point.time_unix_nano):
            return value
        return None

    def _distribution(self, point: Any, read: Callable[[Any, Limits], Distribution]) -> Distribution | None:
        """As `_value`, of a point that is not one number."""
        if point.flags & _NO_RECORDED_VALUE:
            return None
        try:
            value = read(point, self._limits)
        except BadDistribution as bad:
            self.rejections.reject(bad.reason, bad.text)
            return None
        return value if self._admits(point.time_unix_nano) else None

    def _admits(self, time: int) -> bool:
        """Whether one more point of this time is taken; counted if not."""
        if (late := self._check_time(time)) is not None:
            self.rejections.reject(*late)
        elif self._points >= self._limits.max_points:
            self.rejections.reject("points", f"over max_points={self._limits.max_points} in one request")
        else:
            self._points += 1
            return True
        return False


def time_limits(limits: Limits, now: Now) -> tuple[int, int]:
    """The oldest and the newest time that is taken, in Unix nanoseconds."""
    oldest = int((now.earliest - limits.max_sample_age_seconds) * 1e9)
    return oldest, int((now.latest + limits.max_sample_future_seconds) * 1e9)


def time_check(limits: Limits, now: Now) -> Callable[[int], tuple[str, str] | None]:
    """A function from Unix nanoseconds to None, or to the reason and text of a rejection."""
    oldest, newest = time_limits(limits, now)

    def check(time: int) -> tuple[str, str] | None:
        if oldest <= time <= newest:
            return None
        if time == 0:
            return "no_time", "it has no time"
        if time < oldest:
            return "too_old", f"older than max_sample_age_seconds={limits.max_sample_age_seconds:g}"
        return (
            "future",
            f"in the future by more than max_sample_future_seconds={limits.max_sample_future_seconds:g}",
        )

    return check


def attribute_text(attributes: Attributes) -> str:
    """ "" for none, the value of the only one, else `key=value,…` in the order of keys."""
    if len(attributes) == 1:
        return _as_text(next(iter(attributes.values())))
    return ",".join(f"{key}={_as_text(attributes[key])}" for key in sorted(attributes))


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _series(
    block: ResourceBlock,
    metric: str,
    attributes: Attributes,
    info: tuple[str, str, str, bool],
    shape: str = "",
) -> SeriesId:
    """The series of a point, entered into the block. `info` is what a SeriesInfo begins with."""
    series = SeriesId(block.identity.fp, metric, _canonical(attributes) if attributes else "{}", shape)
    if series not in block.series:
        block.series[series] = SeriesInfo(*info, attribute_text(attributes))
    return series


def _points(metric: Metric) -> Sequence[Any]:
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()
