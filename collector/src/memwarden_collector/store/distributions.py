"""Writing histograms, exponential histograms and summaries: one row a point, bounds kept once."""

from collections.abc import Mapping, Sequence

from memwarden_collector.batch import Distribution, ResourceBlock
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.copying import (
    array,
    copy_in,
    float8,
    int4,
    int8,
    null,
    row,
    timestamp,
)
from memwarden_collector.store.dictionary import Dictionary, KnownResource

_COLUMNS = (
    "ts, series_id, count, sum, min, max, bounds_id, buckets, negative_buckets, scale, positive_offset,"
    " negative_offset, zero_count, zero_threshold, quantiles"
)


def write_distributions(
    connection: Connection,
    dictionary: Dictionary,
    blocks: Sequence[ResourceBlock],
    resources: Mapping[bytes, KnownResource],
) -> None:
    """All distributions of the blocks, in the transaction that is open."""
    points = [point for block in blocks for point in block.distributions]
    if not points:
        return
    series = dictionary.series(
        connection,
        {
            one: info
            for block in blocks
            if block.distributions
            for one, info in block.series.items()
            if one.shape
        },
        resources,
    )
    bounds = dictionary.bounds(connection, {point.bounds for _, _, point in points})
    rows = (_row(time, series[one], bounds[point.bounds], point) for time, one, point in points)
    copy_in(connection, f"copy distribution ({_COLUMNS}) from stdin (format binary)", rows)


def _row(time: int, series_id: int, bounds_id: int, point: Distribution) -> bytes:
    return row(
        timestamp(time),
        int8(series_id),
        int8(point.count),
        float8(point.sum),
        float8(point.min),
        float8(point.max),
        int4(bounds_id),
        array("int8", point.buckets) if point.buckets else null(),
        array("int8", point.negative_buckets) if point.negative_buckets else null(),
        null() if point.scale is None else int4(point.scale),
        null() if point.positive_offset is None else int4(point.positive_offset),
        null() if point.negative_offset is None else int4(point.negative_offset),
        null() if point.zero_count is None else int8(point.zero_count),
        float8(point.zero_threshold),
        array("float8", point.quantiles) if point.quantiles else null(),
    )
