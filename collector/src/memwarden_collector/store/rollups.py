"""Rollups: what the samples of each minute, ten minutes, hour and day were. Made by the upkeep, the same in all tiers.

Each bucket has n, min, max, sum and last, so that a longer one is made from shorter ones and not from samples. `min` is
the floor. A queue in the database (`rollup_waiting`) says for each level which scope waits since when: what is new and
what came late are the same to it. Buckets are made from that moment to the last one that is over, and written over
what is there; a round that dies is done again. Nothing is made of what retention has already taken from the level
below: those buckets stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg import sql

from memwarden_collector.store.connection import Connection, translated
from memwarden_collector.store.partitions import ORIGIN, steps
from memwarden_collector.store.tables import MEASURED, ROLLUPS, TimeTable

COLUMNS: Final = (
    "anon_bytes",
    "limit_bytes",
    "available_bytes",
    "cpu_seconds",
    "process_count",
    "rss_bytes",
    "thread_count",
    "fd_count",
    "heap_live_bytes",
    "heap_allocated_bytes",
    "heap_samples",
    "heap_sampling_bytes",
    "probe_cpu_seconds",
    "probe_silence_seconds",
)
"""Places in the arrays of the wide rollups. Only ever longer: what is stored has no other names."""
LAG: Final = timedelta(seconds=30)
"""A bucket counts as over this much after its end; what comes later is late, and the bucket is made again."""
_SEEN_LAG: Final = timedelta(seconds=120)
"""`seen_last` of scopes and resources is written once a minute at least."""
_FEW_STEPS: Final = 3
_SCOPES: Final = 500
"""Scopes of one transaction."""


@dataclass(frozen=True, slots=True)
class Level:
    number: int
    name: str
    width: timedelta

    @property
    def tables(self) -> tuple[TimeTable, TimeTable]:
        """The wide one and the narrow one."""
        wide, narrow = (one for one in ROLLUPS if one.keep == self.name)
        return wide, narrow


LEVELS: Final = (
    Level(1, "1m", timedelta(minutes=1)),
    Level(2, "10m", timedelta(minutes=10)),
    Level(3, "1h", timedelta(hours=1)),
    Level(4, "1d", timedelta(days=1)),
)


def bucket_start(level: Level, moment: datetime) -> datetime:
    return ORIGIN + (moment - ORIGIN) // level.width * level.width


def take_changes(connection: Connection) -> None:
    """Put what was committed since the last call into the queue of the first level."""
    with translated(), connection.transaction():
        # Asked first: the snapshot of the next statement is not older, so nothing falls between.
        row = connection.execute("select pg_snapshot_xmin(pg_current_snapshot())::text").fetchone()
        connection.execute(
            "insert into rollup_waiting (level, scope_id, since)"
            " select 1, scope_id, min(since) from ingest_change where xact >= (select xact from rollup_feed)"
            " group by scope_id order by scope_id"
            " on conflict (level, scope_id) do update set since = least(rollup_waiting.since, excluded.since)"
        )
        connection.execute("update rollup_feed set xact = %s::text::xid8", row)


def make(
    connection: Connection,
    level: Level,
    now: datetime,
    prepare: Callable[[TimeTable, Sequence[datetime]], None],
) -> int:
    """Make the buckets that wait for a level, and return how many rows that were.

    `prepare` makes places for rows of a table in the steps that start at some moments. One transaction for each 500
    scopes.
    """
    closed = bucket_start(level, now - LAG)
    written = 0
    with translated():
        whole_since = _whole_since(connection, level)
        while True:
            with connection.transaction():
                rows = connection.execute(
                    "select scope_id, since from rollup_waiting where level = %s and since < %s"
                    " order by scope_id limit %s",
                    [level.number, closed, _SCOPES],
                ).fetchall()
                if rows:
                    first = max(bucket_start(level, min(row[1] for row in rows)), whole_since)
                    for table, source in zip(level.tables, _sources(level), strict=True):
                        prepare(table, _steps(connection, table, source, first, closed))
                    scopes = [row[0] for row in rows]
                    starts = [max(bucket_start(level, row[1]), whole_since) for row in rows]
                    for statement in _statements(level, first, closed):
                        written += connection.execute(statement, [scopes, starts]).rowcount
                    _pass_on(connection, level, scopes, starts, closed)
            if len(rows) < _SCOPES:
                break
        connection.execute(
            "update rollup_level set closed = greatest(closed, %s) where level = %s", [closed, level.number]
        )
    return written


def _sources(level: Level) -> tuple[TimeTable, TimeTable]:
    """What a level is made from: the samples, or the level below."""
    if level.number > 1:
        return LEVELS[level.number - 2].tables
    wide, narrow = (one for one in MEASURED if one.rolled_up == level.number)
    return wide, narrow


def _steps(
    connection: Connection, table: TimeTable, source: TimeTable, first: datetime, closed: datetime
) -> list[datetime]:
    """The steps of a table that will get rows. Of a long time only those that there is something for."""
    starts = list(steps(table, first, closed))
    if len(starts) <= _FEW_STEPS:
        return starts
    query = sql.SQL("select exists(select from {} where {} >= %s and {} < %s)").format(
        sql.Identifier(source.name), sql.Identifier(source.column), sql.Identifier(source.column)
    )
    found = []
    for start in starts:
        row = connection.execute(query, [start, start + timedelta(days=table.step_days)]).fetchone()
        if row is not None and row[0]:
            found.append(start)
    return found


def _whole_since(connection: Connection, level: Level) -> datetime:
    """The start of the first bucket of which retention has taken nothing from the level below."""
    below = [one.name for one in _sources(level)]
    row = connection.execute(
        "select max(dropped_before) from retention where table_name = any(%s)", [below]
    ).fetchone()
    if row is None or row[0] is None:
        return ORIGIN
    start = bucket_start(level, row[0])
    return start if start == row[0] else start + level.width


def _pass_on(
    connection: Connection, level: Level, scopes: list[int], starts: list[datetime], closed: datetime
) -> None:
    """What was done waits for the next level; a scope that is still seen waits here for its next bucket."""
    if level.number < len(LEVELS):
        connection.execute(
            "insert into rollup_waiting (level, scope_id, since)"
            " select %s, scope_id, since from unnest(%s::integer[], %s::timestamptz[]) v(scope_id, since)"
            " on conflict (level, scope_id) do update set since = least(rollup_waiting.since, excluded.since)",
            [level.number + 1, scopes, starts],
        )
    connection.execute(
        "delete from rollup_waiting w using scope s where w.scope_id = s.scope_id and level = %s"
        " and w.scope_id = any(%s) and s.seen_last < %s",
        [level.number, scopes, closed - _SEEN_LAG],
    )
    connection.execute(
        "update rollup_waiting set since = %s where level = %s and scope_id = any(%s)",
        [closed, level.number, scopes],
    )


def _statements(level: Level, first: datetime, closed: datetime) -> list[sql.Composed]:
    """The wide one and the narrow one. Parameters: scopes, and since when of each."""
    wide, narrow = level.tables
    names = {
        "wide": sql.Identifier(wide.name),
        "narrow": sql.Identifier(narrow.name),
        "width": sql.Literal(level.width),
        "origin": sql.Literal(ORIGIN),
        "first": sql.Literal(first),
        "closed": sql.Literal(closed),
        "seen_lag": sql.Literal(_SEEN_LAG),
    }
    if level.number == 1:
        texts = (_wide_of_samples(), _NARROW_OF_SAMPLES)
    else:
        below_wide, below_narrow = _sources(level)
        names |= {
            "below_wide": sql.Identifier(below_wide.name),
            "below_narrow": sql.Identifier(below_narrow.name),
        }
        texts = (_wide_of_rollups(), _NARROW_OF_ROLLUPS)
    return [sql.SQL(text).format(**names) for text in texts]


def _last(value: str, weight: str | None = None) -> str:
    """The value of the newest row that has one: rows come in the order of time within the groups, sorted below so that
    no other sort is needed, and `array_agg` keeps it.
    """
    known = f"{weight or value} {'> 0' if weight else 'is not null'}"
    return f"(array_agg({value}) filter (where {known}))[count(*) filter (where {known})]"


def _arrays(n: str, low: str, high: str, total: str, last: list[str]) -> str:
    def each(template: str) -> str:
        pairs = enumerate(COLUMNS, start=1)
        return ", ".join(template.format(column=column, place=place) for place, column in pairs)

    return (
        f"array[{each(n)}]::integer[], array[{each(low)}], array[{each(high)}], array[{each(total)}],"
        f" array[{', '.join(last)}]"
    )


_WAITING: Final = """
  unnest(%s::integer[], %s::timestamptz[]) waiting(scope_id, since)
  join resource using (scope_id)"""
_OVER: Final = """
do update set n = excluded.n, min = excluded.min, max = excluded.max, sum = excluded.sum, last = excluded.last"""


def _wide_of_samples() -> str:
    last = [_last(column) for column in COLUMNS]
    arrays = _arrays("count({column})", "min({column})", "max({column})", "sum({column})", last)
    return f"""
insert into {{wide}} (resource_id, bucket, n, min, max, sum, last)
select resource_id, bucket, {arrays}
from (
  select m.*, date_bin({{width}}, ts, {{origin}}) as bucket
  from {_WAITING}, lateral (
    select * from mem_sample where mem_sample.resource_id = resource.resource_id
    and ts >= since and ts >= {{first}} and ts < {{closed}}
  ) m
  where resource.seen_last >= since - {{seen_lag}}
  order by resource_id, bucket, ts
) ordered
group by resource_id, bucket
on conflict (resource_id, bucket) {_OVER}"""  # noqa: S608 - constants


def _wide_of_rollups() -> str:
    last = [_last(f"last[{place}]", f"n[{place}]") for place in range(1, len(COLUMNS) + 1)]
    arrays = _arrays(
        "coalesce(sum(n[{place}]), 0)", "min(min[{place}])", "max(max[{place}])", "sum(sum[{place}])", last
    )
    return f"""
insert into {{wide}} (resource_id, bucket, n, min, max, sum, last)
select resource_id, longer, {arrays}
from (
  select m.*, date_bin({{width}}, bucket, {{origin}}) as longer
  from {_WAITING}, lateral (
    select * from {{below_wide}} b where b.resource_id = resource.resource_id
    and bucket >= since and bucket >= {{first}} and bucket < {{closed}}
  ) m
  where resource.seen_last >= since - {{seen_lag}}
  order by resource_id, longer, bucket
) ordered
group by resource_id, longer
on conflict (resource_id, bucket) {_OVER}"""  # noqa: S608 - constants


_NARROW_OF_SAMPLES: Final = f"""
insert into {{narrow}} (series_id, bucket, n, min, max, sum, last)
select series_id, bucket, count(*), min(value), max(value), sum(value), (array_agg(value))[count(*)]
from (
  select m.*, date_bin({{width}}, ts, {{origin}}) as bucket
  from {_WAITING} join series using (resource_id), lateral (
    select * from sample where sample.series_id = series.series_id
    and ts >= since and ts >= {{first}} and ts < {{closed}}
  ) m
  where resource.seen_last >= since - {{seen_lag}}
  order by series_id, bucket, ts
) ordered
group by series_id, bucket
on conflict (series_id, bucket) {_OVER}"""  # noqa: S608 - constants
_NARROW_OF_ROLLUPS: Final = f"""
insert into {{narrow}} (series_id, bucket, n, min, max, sum, last)
select series_id, longer, sum(n), min(min), max(max), sum(sum), (array_agg(last))[count(*)]
from (
  select m.*, date_bin({{width}}, bucket, {{origin}}) as longer
  from {_WAITING} join series using (resource_id), lateral (
    select * from {{below_narrow}} b where b.series_id = series.series_id
    and bucket >= since and bucket >= {{first}} and bucket < {{closed}}
  ) m
  where resource.seen_last >= since - {{seen_lag}}
  order by series_id, longer, bucket
) ordered
group by series_id, longer
on conflict (series_id, bucket) {_OVER}"""  # noqa: S608 - constants
