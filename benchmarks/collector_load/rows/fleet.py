"""Ten thousand simulated sidecars, each with a connection of its own and a tick each 15 s; processes end and start."""

import resource
from collections.abc import Iterator

from collector_load import running, senders
from collector_load.figure import Figure, Scale, load_average
from collector_load.senders import Plan

ROW = "fleet"
SIDECARS = 10_000
INTERVAL = 15.0


def measure(scale: Scale) -> Iterator[Figure]:
    sidecars = scale.count(SIDECARS, 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sidecars + 1000
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    rate = sidecars / INTERVAL
    with running.collector() as ours:
        plan = Plan(
            ours.url,
            senders=sidecars,
            connections=sidecars,
            seconds=4 * INTERVAL,
            rate=rate,
            warm=2 * sidecars,
            churn=40,
        )
        sending = senders.Sending(plan)
        try:
            with running.measured(ours) as use:
                outcome = sending.result()
        finally:
            sending.end()
        load = load_average()
        refused = {status: count for status, count in outcome.statuses.items() if status != "200"}
        note = (
            f"{sidecars} sidecars, {outcome.points / outcome.seconds / 1e3:.1f} k points/s, acknowledgement p50"
            f" {outcome.latencies['p50'] * 1e3:.0f} ms, p99 {outcome.latencies['p99'] * 1e3:.0f} ms,"
            f" not taken: {refused or 0}"
        )
        yield Figure(
            ROW,
            "CPU of the collector, nothing judged",
            use.cpu / use.seconds,
            "cores",
            1.0,
            True,
            note=note,
            load=load,
        )
        yield Figure(ROW, "memory of the collector", use.memory / 2**20, "MiB", 512.0, True, load=load)
        yield Figure(ROW, "CPU of the database beside it", use.database_cpu / use.seconds, "cores", load=load)
