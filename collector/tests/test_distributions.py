"""Points that are not one number, and points of every kind at odd moments: what is kept of them."""

import math
import time
from typing import Any

import collector_requests as otlp
import pytest
from collector_processes import Collector, Shared
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from memwarden_api import names

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
SERIES = (
    "select metric, series.kind, temporality, monotonic, value from sample join series using (series_id)"
    " join resource using (resource_id) join scope using (scope_id) where name = %s order by metric, ts, value"
)


def a_request(scope: str) -> tuple[ExportMetricsServiceRequest, Any]:
    """A request and its metrics."""
    request = ExportMetricsServiceRequest()
    resource = otlp.add_resource(request, otlp.scope_attributes(scope), 0, [])
    return request, resource.scope_metrics[0].metrics


def nano(at: float) -> int:
    return round(at * 1e6) * 1000


def histogram(metrics: Any, at: float, name: str = "h") -> Any:
    metric = metrics.add(name=name, unit="s")
    metric.histogram.aggregation_temporality = DELTA
    return metric.histogram.data_points.add(
        time_unix_nano=nano(at),
        count=6,
        sum=7.5,
        min=0.5,
        max=3,
        explicit_bounds=[1, 2],
        bucket_counts=[1, 2, 3],
    )


def exponential(metrics: Any, at: float) -> Any:
    metric = metrics.add(name="e")
    metric.exponential_histogram.aggregation_temporality = CUMULATIVE
    point = metric.exponential_histogram.data_points.add(
        time_unix_nano=nano(at), count=10, sum=-4.0, scale=3, zero_count=4, zero_threshold=0.25
    )
    point.positive.offset, point.negative.offset = -7, 9
    point.positive.bucket_counts.extend([1, 0, 2])
    point.negative.bucket_counts.extend([3])
    return point


def summary(metrics: Any, at: float) -> Any:
    point = metrics.add(name="s").summary.data_points.add(time_unix_nano=nano(at), count=4, sum=10)
    for quantile, value in ((0.9, 4.0), (0.5, 2.5), (0.99, math.nan)):
        point.quantile_values.add(quantile=quantile, value=value)
    return point


def test_each_kind_is_kept_as_it_was_declared(collector: Collector, rows: Any) -> None:
    at = time.time()
    request, metrics = a_request("run")
    for tick in range(2):
        histogram(metrics, at + tick).attributes.extend(otlp.pairs({"gc": "major"}))
    exponential(metrics, at)
    summary(metrics, at)
    metrics.add(name="no points").histogram.SetInParent()
    metrics.add(name="no data")
    answer = otlp.metrics_answer(otlp.post_metrics(collector.client, request))
    assert answer.SerializeToString() == b""
    assert rows(
        "select metric, kind, temporality, unit, attribute, count(*)"
        " from distribution join series using (series_id) group by 1, 2, 3, 4, 5 order by 1"
    ) == [
        ("e", "exponential_histogram", "cumulative", "", "", 1),
        ("h", "histogram", "delta", "s", "major", 2),
        ("s", "summary", "", "", "", 1),
    ]
    found = rows(
        "select metric, count, sum, min, max, bounds, buckets, negative_buckets, scale, positive_offset,"
        " negative_offset, zero_count, zero_threshold, quantiles from distribution"
        " join distribution_bounds using (bounds_id) join series using (series_id) order by metric, ts"
    )
    explicit = ("h", 6, 7.5, 0.5, 3.0, [1.0, 2.0], [1, 2, 3], *([None] * 7))
    assert found == [
        ("e", 10, -4.0, None, None, [], [1, 0, 2], [3], 3, -7, 9, 4, 0.25, None),
        explicit,
        explicit,
        ("s", 4, 10.0, None, None, [0.5, 0.9], None, *([None] * 6), [2.5, 4.0]),  # NaN says nothing
    ]
    assert rows("select count(*) from distribution_bounds") == [(3,)]
    at_rows = rows("select extract(epoch from ts)::float8 from distribution order by ts desc limit 1")
    assert at_rows[0][0] == pytest.approx(at + 1, abs=1e-5)
    assert otlp.post_metrics(collector.client, request).status_code == 200
    assert rows("select count(*) from distribution") == [(4,)]  # the same batch


def test_a_name_may_stand_for_a_number_and_for_a_histogram(collector: Collector, rows: Any) -> None:
    at = time.time()
    request, metrics = a_request("run")
    metrics.add(name="both").gauge.data_points.add(time_unix_nano=nano(at), as_int=5)
    histogram(metrics, at, "both")
    assert otlp.post_metrics(collector.client, request).status_code == 200
    assert sorted(rows("select kind from series where metric = 'both'")) == [("gauge",), ("histogram",)]
    assert rows("select value from sample") == [(5.0,)]
    assert rows("select count from distribution") == [(6,)]


def bad_distributions() -> list[tuple[str, Any]]:
    def change(make: Any, **fields: Any) -> Any:
        def spoil(metrics: Any, at: float) -> None:
            point = make(metrics, at)
            for name, value in fields.items():
                if isinstance(value, list):
                    del getattr(point, name)[:]
                    getattr(point, name).extend(value)
                else:
                    setattr(point, name, value)

        return spoil

    def quantile(metrics: Any, at: float) -> None:
        summary(metrics, at).quantile_values[0].quantile = 1.5

    return [
        ("don't add up", change(histogram, count=7)),
        ("don't add up", change(exponential, zero_count=5)),
        ("3 buckets and 1 bounds", change(histogram, explicit_bounds=[1.0])),
        ("2 buckets and 0 bounds", change(histogram, explicit_bounds=[], bucket_counts=[1, 5])),
        ("don't rise", change(histogram, explicit_bounds=[2.0, 1.0])),
        ("don't rise", change(histogram, explicit_bounds=[1.0, math.inf])),
        ("don't rise", change(histogram, explicit_bounds=[math.nan, 1.0])),
        ("the sum is NaN", change(histogram, sum=math.nan)),
        ("the min is NaN or infinite", change(exponential, min=-math.inf)),
        ("the sum is NaN", change(summary, sum=math.inf)),
        ("63 bits", change(summary, count=2**64 - 1)),
        ("zero threshold", change(exponential, zero_threshold=math.nan)),
        ("quantile is not from 0 to 1", quantile),
        ("max_buckets=1024", change(histogram, bucket_counts=[0] * 1025)),
        ("it has no time", change(histogram, time_unix_nano=0)),
        ("max_sample_future_seconds=600", change(summary, time_unix_nano=2**64 - 1)),
    ]


@pytest.mark.parametrize(("reason", "spoil"), bad_distributions())
def test_a_bad_distribution_is_rejected_and_the_others_are_stored(
    shared: Shared, reason: str, spoil: Any
) -> None:
    at = time.time()
    request, metrics = a_request(shared.scope)
    histogram(metrics, at, "good")
    spoil(metrics, at)
    answer = otlp.metrics_answer(otlp.post_metrics(shared.client, request)).partial_success
    assert answer.rejected_data_points == 1
    assert reason in answer.error_message
    assert shared.rows(
        "select metric from distribution join series using (series_id) join resource using (resource_id)"
        " join scope using (scope_id) where name = %s",
        shared.scope,
    ) == [("good",)]


def test_a_stale_distribution_is_no_point(shared: Shared) -> None:
    request, metrics = a_request(shared.scope)
    for make in (histogram, exponential, summary):
        point = make(metrics, time.time())
        point.flags, point.count = 1, 99  # Prometheus' stale marker; its numbers mean nothing
    answer = otlp.metrics_answer(otlp.post_metrics(shared.client, request))
    assert answer.SerializeToString() == b""


def add_number(metric: Metric, kind: str, at: float, value: float) -> None:
    data = getattr(metric, kind)
    if kind == "sum":
        data.aggregation_temporality = DELTA
    data.data_points.add(time_unix_nano=nano(at), as_double=value)


@pytest.mark.parametrize("kind", ["gauge", "sum"])
def test_late_out_of_order_and_equal_moments_are_kept(shared: Shared, kind: str) -> None:
    now = time.time()
    request, metrics = a_request(shared.scope)
    metric = metrics.add(name="m")
    moments = [0, -5, -80_000, -5, 300]  # out of order, twice the same, almost a day late, minutes ahead
    for value, offset in enumerate(moments):
        add_number(metric, kind, now + offset, value)
    for offset in (-90_000, 700):  # too late, too far ahead
        add_number(metric, kind, now + offset, 99)
    answer = otlp.metrics_answer(otlp.post_metrics(shared.client, request)).partial_success
    assert answer.rejected_data_points == 2
    temporality = "delta" if kind == "sum" else ""
    assert shared.rows(SERIES, shared.scope) == [
        ("m", kind, temporality, False, value) for value in (2.0, 1.0, 3.0, 0.0, 4.0)
    ]


def test_attributes_of_every_kind(shared: Shared) -> None:
    request, metrics = a_request(shared.scope)
    point = metrics.add(name="m").gauge.data_points.add(time_unix_nano=nano(time.time()), as_int=1)
    for key in ("text", "whole", "real", "yes", "bytes", "array", "map", "empty"):
        point.attributes.add(key=key)
    given = {one.key: one.value for one in point.attributes}
    given["text"].string_value, given["whole"].int_value, given["real"].double_value = (
        "é",
        -(2**63),
        -math.inf,
    )
    given["yes"].bool_value, given["bytes"].bytes_value = True, b"\x00\xff"
    given["array"].array_value.values.extend([otlp.any_value(1), otlp.any_value("a"), otlp.any_value([])])
    given["map"].kvlist_value.values.extend(otlp.pairs({"inner": 2.5}))
    assert otlp.post_metrics(shared.client, request).status_code == 200
    found = shared.rows(
        "select series.attrs from series join resource using (resource_id) join scope using (scope_id)"
        " where name = %s",
        shared.scope,
    )
    assert found == [
        (
            {
                "text": "é",
                "whole": -(2**63),
                "real": "-inf",
                "yes": True,
                "bytes": "AP8=",
                "array": [1, "a", []],
                "map": {"inner": 2.5},
                "empty": None,
            },
        )
    ]


def test_the_wide_table_keeps_its_columns_for_numbers(shared: Shared) -> None:
    """A histogram under the name of a column is a histogram."""
    request, metrics = a_request(shared.scope)
    histogram(metrics, time.time(), names.MEMORY_ANON)
    assert otlp.post_metrics(shared.client, request).status_code == 200
    assert shared.rows(SERIES, shared.scope) == []
