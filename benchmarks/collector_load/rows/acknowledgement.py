"""How long a sender waits for its acknowledgement at half of what the collector manages, from the moment that a request
was due; and what the interface takes meanwhile for one container.
"""

import statistics
import time
from collections.abc import Iterator

import httpx

from collector_load import running, senders
from collector_load.figure import Figure, Scale, load_average
from collector_load.running import Collector
from collector_load.senders import Plan

ROW = "acknowledgement"
_CONNECTIONS = 64
_PATHS = ("/series?points=200", "/series?metric=memwarden.memory.anon", "/verdict", "/profiles")


def measure(scale: Scale) -> Iterator[Figure]:
    seconds = float(scale.count(20, 3))
    with running.collector() as ours:
        whole = senders.send(
            Plan(
                ours.url,
                senders=300,
                connections=_CONNECTIONS,
                seconds=seconds,
                prepare=scale.count(8000, 200),
                warm=900,
                churn=10**9,
            )
        )
        rate = whole.acknowledged / whole.seconds / 2
        half = Plan(
            ours.url,
            senders=300,
            connections=_CONNECTIONS,
            seconds=seconds,
            rate=rate,
            prepare=round(rate * seconds) + 100,
            churn=10**9,
        )
        outcome = senders.send(half)
        assert set(outcome.statuses) == {"200"}, outcome.statuses
        note = f"{rate:.0f} requests/s, half of what this machine managed just before; the generator"
        note += f" was {outcome.behind * 1e3:.0f} ms late at worst"
        for name, target in (("p50", 150.0), ("p99", 500.0)):
            yield Figure(
                ROW,
                f"at half load, {name}",
                outcome.latencies[name] * 1e3,
                "ms",
                target,
                at_most=True,
                note=note,
                load=load_average(),
            )
        yield from _interface(ours, half)


def _interface(ours: Collector, half: Plan) -> Iterator[Figure]:
    scope = str(ours.rows("select name from scope order by scope_id limit 1")[0][0])
    sending = senders.Sending(half)
    found: list[float] = []
    try:
        with httpx.Client(
            base_url=f"{ours.url}/api/v1/scopes/{scope}", timeout=60, trust_env=False
        ) as client:
            number = 0
            while sending.running:
                path = _PATHS[number % len(_PATHS)]
                number += 1
                began = time.perf_counter()
                response = client.get(path)
                found.append(time.perf_counter() - began)
                assert response.status_code in (200, 404), (path, response.text)
                time.sleep(0.02)
        sending.result()
    finally:
        sending.end()
    ordered = sorted(found)
    yield Figure(
        ROW,
        "an answer of the interface for one container meanwhile, p99",
        senders.quantiles(ordered)["p99"] * 1e3,
        "ms",
        100.0,
        at_most=True,
        note=f"{len(found)} answers, the median {statistics.median(found) * 1e3:.0f} ms",
        load=load_average(),
    )
