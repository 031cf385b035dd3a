"""Ten thousand simulated sidecars, each with a connection of its own and a tick each 15 s; processes end and start."""

import resource
from collections.abc import Iterator

from collector_load import running, senders
from collector_load.figure import Figure, Scale, load_average
from collector_load.senders import Plan

ROW = "fleet"
SIDECARS = 10_000
INTERVAL = 15.0
ROUNDS = 4


def measure(scale: Scale) -> Iterator[Figure]:
    sidecars = scale.count(SIDECARS, 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sidecars + 1000
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    yield from _fleet(sidecars, "nothing judged")
    yield from _fleet(sidecars, "all looked at by the screen", "--judge-every-intervals", "5")


def _fleet(sidecars: int, what: str, *options: str) -> Iterator[Figure]:
    with running.collector(*options) as ours:
        plan = Plan(
            ours.url,
            senders=sidecars,
            connections=sidecars,
            seconds=ROUNDS * INTERVAL,
            rate=sidecars / INTERVAL,
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
        counts = ours.counts()
        screened = sum(
            value for name, value in counts.items() if name.startswith("memwarden_collector_screened_total")
        )
        lag = counts["memwarden_collector_judgement_lag_seconds"]
    refused = {status: count for status, count in outcome.statuses.items() if status != "200"}
    note = (
        f"{sidecars} sidecars, {outcome.points / outcome.seconds / 1e3:.1f} k points/s, acknowledgement p50"
        f" {outcome.latencies['p50'] * 1e3:.0f} ms, p99 {outcome.latencies['p99'] * 1e3:.0f} ms,"
        f" not taken: {refused or 0}; the generator was {outcome.behind:.1f} s late at worst;"
        f" looks of the screen {screened:.0f}, the suspect that waits longest {lag:.0f} s"
    )
    cores = use.cpu / use.seconds
    yield Figure(ROW, f"CPU of the collector, {what}", cores, "cores", 1.0, True, note=note, load=load)
    memory = use.memory / 2**20
    yield Figure(ROW, f"memory of the collector, {what}", memory, "MiB", 512.0, True, load=load)
    database = use.database_cpu / use.seconds
    yield Figure(ROW, f"CPU of the database beside it, {what}", database, "cores", load=load)
