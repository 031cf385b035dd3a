"""The memory of many containers at once: what the screen reads, one query for all of them."""

from collections.abc import Sequence

from memwarden_collector.store.connection import Connection
from memwarden_collector.store.copying import copy_floats
from memwarden_collector.store.rollups import COLUMNS, LEVELS
from memwarden_core.recording import FloatArray

_ANON = COLUMNS.index("anon_bytes") + 1
"""Its place in the arrays of the rollups."""


def samples(
    connection: Connection, rows: Sequence[int], resources: Sequence[int], since: Sequence[float]
) -> FloatArray:
    """(row, time, anonymous memory, limit) of each resource from a time of its own on, in the order of row and time;
    `rows` are the caller's names of them. NaN: not told.
    """
    return copy_floats(
        connection,
        "select wanted.row::float8, extract(epoch from m.ts)::float8, coalesce(m.anon_bytes, 'NaN'),"
        " coalesce(m.limit_bytes, 'NaN')"
        " from unnest(%s::integer[], %s::bigint[], %s::float8[]) wanted(row, resource_id, since),"
        " lateral (select ts, anon_bytes, limit_bytes from mem_sample where resource_id = wanted.resource_id"
        "   and ts >= to_timestamp(wanted.since) and ts >= to_timestamp(%s)) m order by 1, 2",
        [list(rows), list(resources), list(since), min(since, default=0.0)],
        4,
    )


def floors(
    connection: Connection,
    step_seconds: float,
    rows: Sequence[int],
    resources: Sequence[int],
    since: Sequence[float],
) -> FloatArray:
    """(row, start of a step, lowest anonymous memory in it) from the rollups with steps of that length, in no order."""
    level = next(one for one in LEVELS if one.width.total_seconds() == step_seconds)
    table = level.tables[0].name
    return copy_floats(
        connection,
        "select wanted.row::float8, extract(epoch from r.bucket)::float8, coalesce(r.low, 'NaN')"  # noqa: S608 - constants
        " from unnest(%s::integer[], %s::bigint[], %s::float8[]) wanted(row, resource_id, since),"
        f" lateral (select bucket, min[{_ANON}] as low from {table} where resource_id = wanted.resource_id"
        "   and bucket >= to_timestamp(wanted.since) and bucket >= to_timestamp(%s)) r",
        [list(rows), list(resources), list(since), min(since, default=0.0)],
        3,
    )
