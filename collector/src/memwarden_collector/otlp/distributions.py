"""Points that are not one number: histograms, exponential histograms and summaries, checked for the store.

What contradicts itself (counts that don't add up, bounds that don't rise) is rejected: it would be wrong wherever it is
read. A summary's quantile without a finite value says nothing (Prometheus sends NaN while there is no observation)
and is left out.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    SummaryDataPoint,
)

from memwarden_collector.batch import Distribution
from memwarden_collector.settings import Limits

_MAX_COUNT: Final = 2**63 - 1


class BadDistribution(Exception):
    """The point can't be taken: a short reason and a text."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


def histogram(point: HistogramDataPoint, limits: Limits) -> Distribution:
    """Raises BadDistribution."""
    buckets, bounds = tuple(point.bucket_counts), tuple(point.explicit_bounds)
    _check_number(len(buckets), limits)
    if len(buckets) != (len(bounds) + 1 if bounds else len(buckets) and 1):
        raise _bad(f"a histogram has {len(buckets)} buckets and {len(bounds)} bounds")
    if not all(map(math.isfinite, bounds)) or any(a >= b for a, b in pairwise(bounds)):
        raise _bad("the bounds of a histogram's buckets don't rise")
    if buckets and sum(buckets) != point.count:
        raise _bad("the buckets of a histogram don't add up to its count")
    return Distribution(
        _count(point.count),
        _optional(point, "sum"),
        _optional(point, "min"),
        _optional(point, "max"),
        bounds=bounds,
        buckets=buckets,
    )


def exponential_histogram(point: ExponentialHistogramDataPoint, limits: Limits) -> Distribution:
    """Raises BadDistribution."""
    positive, negative = point.positive, point.negative
    _check_number(len(positive.bucket_counts) + len(negative.bucket_counts), limits)
    buckets, negatives = tuple(positive.bucket_counts), tuple(negative.bucket_counts)
    if sum(buckets) + sum(negatives) + point.zero_count != point.count:
        raise _bad("the buckets of an exponential histogram don't add up to its count")
    if not (math.isfinite(point.zero_threshold) and point.zero_threshold >= 0):
        raise _bad("the zero threshold of an exponential histogram is not a finite number from 0")
    return Distribution(
        _count(point.count),
        _optional(point, "sum"),
        _optional(point, "min"),
        _optional(point, "max"),
        buckets=buckets,
        negative_buckets=negatives,
        scale=point.scale,
        positive_offset=positive.offset,
        negative_offset=negative.offset,
        zero_count=point.zero_count,
        zero_threshold=point.zero_threshold,
    )


def summary(point: SummaryDataPoint, limits: Limits) -> Distribution:
    """Raises BadDistribution."""
    _check_number(len(point.quantile_values), limits)
    pairs = sorted((one.quantile, one.value) for one in point.quantile_values if math.isfinite(one.value))
    if not all(0 <= quantile <= 1 for quantile, _ in pairs):
        raise _bad("a quantile is not from 0 to 1")
    return Distribution(
        _count(point.count),
        _finite(point.sum, "sum"),
        bounds=tuple(quantile for quantile, _ in pairs),
        quantiles=tuple(value for _, value in pairs),
    )


READERS: Final[dict[str, Callable[[Any, Limits], Distribution]]] = {
    "histogram": histogram,
    "exponential_histogram": exponential_histogram,
    "summary": summary,
}
"""By the name of the metric's `data`."""


def _optional(point: HistogramDataPoint | ExponentialHistogramDataPoint, name: str) -> float | None:
    """A finite number, or None where it is not set."""
    return _finite(getattr(point, name), name) if point.HasField(name) else None  # type: ignore[arg-type]  # a name of three


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise BadDistribution("not_finite", f"the {name} is NaN or infinite")
    return value


def _count(count: int) -> int:
    if count > _MAX_COUNT:
        raise BadDistribution("too_large", "the count does not fit 63 bits")
    return count


def _check_number(number: int, limits: Limits) -> None:
    if number > limits.max_buckets:
        raise BadDistribution(
            "buckets", f"{number} buckets or quantiles, over max_buckets={limits.max_buckets}"
        )


def _bad(text: str) -> BadDistribution:
    return BadDistribution("malformed", text)
