"""Reading rollups as if they were samples: two points a bucket, its lowest and its highest value, a counter's last one.

The lowest is put at the first and the highest at the third quarter of its bucket: neither a floor nor a peak is lost,
and no time is off by more than a bucket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from memwarden_collector.store.connection import Connection
from memwarden_collector.store.copying import copy_floats
from memwarden_collector.store.rollups import COLUMNS, LEVELS, Level
from memwarden_core.recording import FloatArray

_COUNTERS: Final = frozenset({"cpu_seconds", "heap_allocated_bytes", "probe_cpu_seconds"})
POINTS: Final = 2
"""Of one bucket."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """Before `until` (Unix seconds, the end of a bucket) rollups of a level are read, from then on samples."""

    level: Level
    until: float

    @property
    def seconds(self) -> float:
        return self.level.width.total_seconds()

    def bucket(self, time: float) -> float:
        """The start of the bucket that a time is in: 2000-01-01 is a multiple of a day."""
        return time // self.seconds * self.seconds


def whole_since(connection: Connection) -> float:
    """Since when all samples are still there, in Unix seconds; 0.0 while none was dropped."""
    row = connection.execute(
        "select coalesce(extract(epoch from max(dropped_before))::float8, 0) from retention"
        " where table_name in ('mem_sample', 'sample')"
    ).fetchone()
    return 0.0 if row is None else float(row[0])


def covered_until(connection: Connection, scope_id: int, level: Level) -> float:
    """Until when a scope's buckets are made and nothing late waits for them, in Unix seconds."""
    row = connection.execute(
        "select coalesce(extract(epoch from least("
        "  (select closed from rollup_level where level = %(level)s and closed > '-infinity'),"
        "  (select min(since) from rollup_waiting where level <= %(level)s and scope_id = %(scope)s),"
        "  (select min(since) from ingest_change where scope_id = %(scope)s"
        "    and xact >= (select xact from rollup_feed))"
        "))::float8, 0) from rollup_level where level = %(level)s and closed > '-infinity'",
        {"level": level.number, "scope": scope_id},
    ).fetchone()
    return 0.0 if row is None else float(row[0])


def choose(seconds: float, most: float) -> Level:
    """The finest level of which so many seconds have at most `most` points, else the coarsest."""
    return next((one for one in LEVELS if seconds / one.width.total_seconds() * POINTS <= most), LEVELS[-1])


def plan(
    connection: Connection, scope_id: int, level: Level, start: float, samples_from: float
) -> Rolled | None:
    """Rollups from `start` up to `samples_from`, or as far as they are made; None where there are none."""
    rolled = Rolled(level, samples_from)
    until = rolled.bucket(min(samples_from, covered_until(connection, scope_id, level)))
    return Rolled(level, until) if until > start else None


def wide(
    connection: Connection,
    rolled: Rolled,
    resources: Sequence[int],
    columns: Sequence[str],
    span: tuple[float, float],
) -> FloatArray:
    """Rows (resource, time, columns…) in the order of resource and time, NaN for none; the span's end is not in it."""
    low = ", ".join("'NaN'" if one in _COUNTERS else _element("min", one) for one in columns)
    high = ", ".join(_element("last" if one in _COUNTERS else "max", one) for one in columns)
    return _read(connection, rolled, 0, "resource_id", resources, (low, high), span, 2 + len(columns))


def narrow(
    connection: Connection, rolled: Rolled, series: Sequence[int], span: tuple[float, float]
) -> FloatArray:
    """Rows (series, time, value); of a sum the last one is the highest."""
    return _read(connection, rolled, 1, "series_id", series, ("min", "max"), span, 3)


def _element(stat: str, column: str) -> str:
    return f"coalesce({stat}[{COLUMNS.index(column) + 1}], 'NaN')"


def _read(
    connection: Connection,
    rolled: Rolled,
    table: int,
    key: str,
    ids: Sequence[int],
    values: tuple[str, str],
    span: tuple[float, float],
    columns: int,
) -> FloatArray:
    name = rolled.level.tables[table].name
    where = f"{key} = any(%s) and bucket >= to_timestamp(%s) and bucket < to_timestamp(%s)"
    halves = [
        f"select {key}::float8, extract(epoch from bucket)::float8 + {rolled.seconds * quarter}, {value}"  # noqa: S608 - constants
        f" from {name} where {where}"
        for quarter, value in zip((0.25, 0.75), values, strict=True)
    ]
    until = min(span[1], rolled.until)
    parameters = [list(ids), rolled.bucket(span[0]), until] * 2
    return copy_floats(connection, " union all ".join(halves) + " order by 1, 2", parameters, columns)
