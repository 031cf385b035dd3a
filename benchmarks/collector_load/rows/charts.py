"""Reading: a day of one container as a chart, and who leaks most over a week among ten thousand pods, from rollups."""

import statistics
import time
from collections.abc import Callable, Iterator

from collector_load import running
from collector_load.figure import Figure, Scale, interleaved, load_average
from memwarden_collector.settings import Retention
from memwarden_collector.store import lists
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.rollups import COLUMNS
from memwarden_collector.store.tier import describe
from memwarden_collector.store.upkeep import Upkeep

ROW = "reading"
PODS = 10_000
DAYS = 7
_DAY = 86_400.0
_HOURS = """
insert into roll_mem_1h (bucket, resource_id, n, min, max, sum, last)
select date_trunc('hour', now()) - h * interval '1 hour', resource_id,
       array_fill(240, array[{width}]), v, v, v, v
from resource, generate_series(1, {hours}) h,
     lateral (select array_fill(1e8 + (resource_id % 997) * 1e3 * ({hours} - h), array[{width}]) as v) one
"""
_SAMPLES = """
insert into mem_sample (ts, resource_id, anon_bytes, cpu_seconds, limit_bytes, available_bytes, process_count)
select t, (select min(resource_id) from resource), 1e8 + extract(epoch from t), 1, 2, 3, 4
from generate_series(now() - interval '25 hours', now(), '15 seconds') t
"""
# The newest and the oldest bucket of each: two probes of an index, whatever lies between.
_BUCKET = """
select min[1] as low from roll_mem_1h r where r.resource_id = resource.resource_id
and bucket > now() - interval '7 days' order by bucket {order} limit 1
"""
_TOP = f"""
select resource_id, newest.low - oldest.low as growth from resource,
lateral ({_BUCKET.format(order="desc")}) newest, lateral ({_BUCKET.format(order="asc")}) oldest
order by 2 desc, 1 limit 20
"""
_TOP_OF_ALL = """
select resource_id, (array_agg(min[1] order by bucket desc))[1] - (array_agg(min[1] order by bucket))[1] as growth
from roll_mem_1h where bucket > now() - interval '7 days' group by 1 order by 2 desc, 1 limit 20
"""


def measure(scale: Scale) -> Iterator[Figure]:
    pods = scale.count(PODS, 50)
    with running.database() as (url, _, _), Database(url).connect("benchmark") as connection:
        migrate(connection)
        connection.execute("set statement_timeout = 0")
        _fill(connection, pods)
        scope = connection.execute("select min(scope_id) from scope").fetchone()
        assert scope is not None

        def chart(points: int | None) -> Callable[[], object]:
            end = time.time()
            return lambda: lists.series(
                connection, scope[0], metric=None, pid=None, start=end - _DAY, end=end, points=points
            )

        rolled, whole = _timed(chart(300)), _timed(chart(None))
        load = load_average()
        yield Figure(
            ROW,
            "a day of one container, 300 points",
            rolled * 1e3,
            "ms",
            50.0,
            True,
            "all of its 5 760 samples",
            whole * 1e3,
            load=load,
        )
        ways = [query.encode() for query in (_TOP, _TOP_OF_ALL)]
        found = [connection.execute(query).fetchall() for query in ways]
        assert found[0] == found[1]
        top, top_of_all = interleaved(
            3,
            *(lambda query=query: _timed(lambda: connection.execute(query).fetchall(), 1) for query in ways),
        )
        yield Figure(
            ROW,
            f"the 20 that grew most over 7 days of {pods} pods, from rollups",
            top,
            "s",
            1.0,
            True,
            "one aggregate over all buckets",
            top_of_all,
            load=load_average(),
        )


def _fill(connection: Connection, pods: int) -> None:
    connection.execute(
        "insert into scope (name, kind, interval_seconds, seen_first, seen_last)"
        " select 'c' || n, 'container', 15, now() - interval '7 days', now() from generate_series(1, %s) n",
        [pods],
    )
    connection.execute(
        "insert into resource (scope_id, fp, attrs, attrs_at, seen_first, seen_last)"
        " select scope_id, name::bytea, '{}', seen_last, seen_first, seen_last from scope order by scope_id"
    )
    connection.execute(_SAMPLES)
    connection.execute(
        "insert into ingest_change (scope_id, since) select min(scope_id), now() - interval '25 hours' from scope"
    )
    upkeep = Upkeep(describe(connection), Retention(upkeep_seconds=60))
    upkeep.round(connection, _fail)
    connection.execute("set statement_timeout = 0")
    while upkeep.round(connection, _fail).moved:
        connection.execute("set statement_timeout = 0")
    connection.execute("set statement_timeout = 0")
    connection.execute("delete from roll_mem_1h")
    connection.execute(_HOURS.format(width=len(COLUMNS), hours=24 * DAYS).encode())
    connection.execute("analyze")


def _fail(step: str, error: Exception) -> None:
    raise SystemExit(f"{step}: {error}")


def _timed(work: Callable[[], object], times: int = 7) -> float:
    """The median, in seconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)
