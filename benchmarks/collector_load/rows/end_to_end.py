"""End to end: from the socket to the commit, collector and database together on the cores that there are.

Wall time is what else the machine does; CPU time is not. So the figure is what two cores manage by the CPU time of
collector and PostgreSQL for a point, and what the clock showed stands beside it. References write the same rows: one
INSERT a row as naive programs do, and executemany.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector_load import running, senders
from collector_load.figure import Figure, Scale, interleaved, load_average
from collector_load.running import Collector
from collector_load.senders import Plan
from memwarden_collector.clock import Clock
from memwarden_collector.otlp.metrics import decode_metrics
from memwarden_collector.settings import Limits

ROW = "end to end"
CORES = 2


def measure(scale: Scale) -> Iterator[Figure]:
    with running.collector() as ours:
        many, naive = interleaved(
            scale.rounds,
            lambda: _reference(ours, scale.count(20_000, 500), many=True),
            lambda: _reference(ours, scale.count(4_000, 100), many=False),
        )
        for name, kind, count, requests, target in (
            ("narrow points, 40 a request", "narrow:40", 300, 6000, None),
            ("narrow points, 1 000 a request", "narrow:1000:25", 20, 400, 150.0),
        ):
            cpu, wall = _both(ours, kind, count, scale.count(requests, 50), scale.rounds)
            yield Figure(
                ROW,
                name,
                cpu,
                "k points/s on 2 cores",
                target,
                reference="executemany",
                reference_value=many,
                note=f"one INSERT a row: {naive:.1f} k/s; by the clock of this run {wall:.0f} k/s",
                load=load_average(),
            )
        yield from wide(ours, scale)


def wide(ours: Collector, scale: Scale) -> Iterator[Figure]:
    """Ticks of sidecars, one a request and as a gateway that batches sends them."""
    share = _values_a_point()
    alone: float | None = None
    for name, kind, count, requests, goal in (
        ("a sidecar's tick a request", "sidecar", 300, 6000, None),
        ("30 sidecars' ticks a request", "gateway:30", 10, 400, 1.0),
    ):
        cpu, wall = _both(ours, kind, count, scale.count(requests, 20), scale.rounds)
        value = cpu * share / 1e3
        yield Figure(
            ROW,
            f"wide values, {name}",
            value,
            "M values/s on 2 cores",
            goal,
            reference="a tick a request" if alone is not None else "",
            reference_value=alone,
            note=f"as all {cpu:.0f} k points/s of such requests, {share:.0%} of them wide;"
            f" by the clock {wall * share:.0f} k/s",
            load=load_average(),
        )
        alone = value


def _both(ours: Collector, kind: str, count: int, requests: int, rounds: int) -> tuple[float, float]:
    """Thousands of points a second: of two cores by CPU time, and by the clock."""
    walls: list[float] = []

    def once() -> float:
        plan = Plan(
            ours.url,
            kind,
            senders=count,
            connections=64,
            seconds=120,
            requests=requests,
            prepare=requests,
            warm=3 * count,
            churn=10**9,
        )
        sending = senders.Sending(plan)
        with running.measured(ours) as use:
            outcome = sending.result()
        assert set(outcome.statuses) == {"200"}, outcome.statuses
        walls.append(outcome.points / outcome.seconds / 1e3)
        return CORES * outcome.points / (use.cpu + use.database_cpu) / 1e3

    return interleaved(rounds, once)[0], max(walls)


def _values_a_point() -> float:
    """Of a sidecar's points, those that have a column."""
    wide = points = 0
    for body in senders.bodies("sidecar", 300, 300):
        blocks, _ = decode_metrics(ExportMetricsServiceRequest.FromString(body), Limits(), Clock().now())
        points += sum(block.items for block in blocks)
        wide += sum(block.items - len(block.narrow) for block in blocks)
    return wide / points


def _reference(ours: Collector, rows: int, *, many: bool) -> float:
    """Thousands of rows a second of two cores, by the CPU time of client and database."""
    statement = "insert into reference values (%s, %s, %s)"
    now = time.time()
    values = [(datetime.fromtimestamp(now + n / 1e3, UTC), n % 1000, float(n)) for n in range(rows)]
    with psycopg.connect(ours.database_url, autocommit=True) as connection:
        connection.execute(
            "create table if not exists reference (ts timestamptz not null, series_id bigint not null, value float8)"
        )
        connection.execute("create index if not exists reference_series on reference (series_id, ts)")
        began, before = time.process_time(), ours.database_cpu()
        if many:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(statement, values)
        else:
            for one in values:
                connection.execute(statement, one)
        used = time.process_time() - began + ours.database_cpu() - before
    return CORES * rows / used / 1e3
