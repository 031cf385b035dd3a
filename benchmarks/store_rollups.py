"""What rollups are worth: a day of one container, and who grew most, from rollups and from samples in one run.

Also what they cost: a round of upkeep over all containers after one more minute, as a share of that minute. Embedded
PostgreSQL; wide rows as sidecars send them each 15 s.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from memwarden.database import server
from memwarden_collector.settings import Retention
from memwarden_collector.store import lists
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.tier import describe
from memwarden_collector.store.upkeep import Upkeep

_MINUTE = 60.0
_SAMPLES = """
insert into mem_sample (ts, resource_id, anon_bytes, cpu_seconds, limit_bytes, available_bytes, process_count)
select t, resource_id, 1e8 + 1e3 * resource_id * extract(epoch from t - %(start)s::timestamptz) / 86400, 1, 2, 3, 4
from resource, generate_series(%(start)s::timestamptz, %(end)s::timestamptz, '15 seconds') t
"""
_TOP = """
select resource_id, (array_agg({last} order by {time} desc))[1] - (array_agg({last} order by {time}))[1] as growth
from {table} group by 1 order by 2 desc limit 20
"""


def fill(connection: Connection, containers: int, days: int) -> None:
    connection.execute(
        "insert into scope (name, kind, interval_seconds, seen_first, seen_last)"
        " select 'c' || n, 'container', 15, now() - make_interval(days => %s), now() from generate_series(1, %s) n",
        [days, containers],
    )
    connection.execute(
        "insert into resource (scope_id, fp, attrs, attrs_at, seen_first, seen_last)"
        " select scope_id, name::bytea, '{}', seen_last, seen_first, seen_last from scope"
    )
    for day in range(days):
        bounds = connection.execute(
            "select now() - make_interval(days => %s), now() - make_interval(days => %s, secs => 15)",
            [days - day, days - day - 1],
        ).fetchone()
        assert bounds is not None
        connection.execute(_SAMPLES, {"start": bounds[0], "end": bounds[1]})
    connection.execute("insert into ingest_change (scope_id, since) select scope_id, seen_first from scope")


def timed(work: Callable[[], object], times: int = 7) -> float:
    """The median, in seconds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def fail(step: str, error: Exception) -> None:
    raise SystemExit(f"{step}: {error}")


def measure(connection: Connection, containers: int, days: int) -> None:
    connection.execute("set statement_timeout = 0")
    fill(connection, containers, days)
    upkeep = Upkeep(describe(connection), Retention(samples_days=days + 1, upkeep_seconds=60))
    first = timed(lambda: upkeep.round(connection, fail), times=1)
    connection.execute("set statement_timeout = 0")
    while upkeep.round(connection, fail).moved:
        pass
    connection.execute("analyze")
    print(f"{containers} containers, {days} days each 15 s; the first round took {first:.1f} s")

    def chart(points: int | None) -> Callable[[], object]:
        end = time.time()
        span = (end - 86_400, end)
        return lambda: lists.series(
            connection, 1, metric=None, pid=None, start=span[0], end=span[1], points=points
        )

    few, whole = timed(chart(200)), timed(chart(None))
    print(f"chart of a day, 200 points: {few * 1e3:.1f} ms, {whole / few:.1f} times as fast as of samples")
    rolled = timed(
        lambda: connection.execute(
            _TOP.format(table="roll_mem_1h", last="last[1]", time="bucket").encode()
        ).fetchall(),
        3,
    )
    raw = timed(
        lambda: connection.execute(
            _TOP.format(table="mem_sample", last="anon_bytes", time="ts").encode()
        ).fetchall(),
        1,
    )
    print(
        f"20 that grew most in {days} days: {rolled * 1e3:.0f} ms, {raw / rolled:.0f} times as fast as of samples"
    )
    rounds = []
    for _ in range(3):
        connection.execute(
            "insert into mem_sample (ts, resource_id, anon_bytes)"
            " select now() - n * interval '15 seconds', resource_id, 1"
            " from resource, generate_series(1, 4) n"
        )
        connection.execute(
            "insert into ingest_change (scope_id, since) select scope_id, now() - interval '2 minutes' from scope"
        )
        rounds.append(timed(lambda: upkeep.round(connection, fail), times=1))
    cost = statistics.median(rounds)
    print(f"a round for one more minute: {cost:.2f} s, {cost / _MINUTE:.2%} of that minute")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=50)
    parser.add_argument("--days", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path: it holds a socket
        running = server.start(Path(folder))
        try:
            with Database(running.url).connect("benchmark") as connection:
                migrate(connection)
                measure(connection, given.containers, given.days)
        finally:
            running.stop()


if __name__ == "__main__":
    main()
