"""An hour of load with judgements: the collector's memory stays where it is. MEMWARDEN_SOAK_SECONDS shortens it.

Its caches are bounded, and made small here: they are full after some minutes, and what grows then is not a cache.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from collector_load import running
from collector_load.senders import Plan, Sending

SECONDS = float(os.environ.get("MEMWARDEN_SOAK_SECONDS", "3600"))
SENDERS = 200
RATE = 40.0
CHURN = 50
"""Requests of a sender until it is another process: each has new strings and series, 250 s at this rate."""
MIB = 1 << 20
OPTIONS = (
    *("--judge-every-intervals", "5", "--window-seconds", "600", "--upkeep-seconds", "30"),
    *("--max-dictionary-bytes", str(4 * MIB), "--max-template-bytes", str(8 * MIB)),
    *("--max-cached-bytes", str(32 * MIB)),
)
STEP_SECONDS = 300.0
CACHES = ("dictionary", "template", "past")
MAX_GROWTH_BYTES = 12 << 20
"""In the second half, by a line through it: pools of the allocator grow a little. A leak of one small object a request
would be more in an hour."""
MAX_BYTES = 512 << 20


@contextmanager
def caches_by_steps(ours: running.Collector, steps: list[str]) -> Iterator[None]:
    """What each cache takes by its own word, each five minutes."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(STEP_SECONDS):
            counts = ours.counts()
            taken = (counts[f"memwarden_collector_{name}_bytes"] / MIB for name in CACHES)
            steps.append(" + ".join(f"{one:.1f}" for one in taken))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


@pytest.mark.nightly
@pytest.mark.timeout(SECONDS + 1200)
def test_memory_is_flat(record_property: Any) -> None:
    steps: list[str] = []
    with running.collector(*OPTIONS) as ours:
        plan = Plan(
            ours.url, senders=SENDERS, rate=RATE, seconds=SECONDS, connections=50, churn=CHURN, again=True
        )
        sending = Sending(plan)
        try:
            with caches_by_steps(ours, steps), running.measured(ours) as use:
                outcome = sending.result()
        finally:
            sending.end()
        judged = ours.rows("select count(*) from verdict")[0][0]
        log = ours.log.read_text()
    seconds, memory = np.array(use.memories, dtype=float).T
    late = seconds > seconds[-1] / 2
    slope = np.polyfit(seconds[late], memory[late], 1)[0]
    growth = slope * (seconds[-1] / 2)
    moments = np.arange(0, seconds[-1], STEP_SECONDS)
    resident = ", ".join(f"{one / MIB:.0f}" for one in np.interp(moments, seconds, memory))
    record_property("resident each five minutes, MiB", resident)
    record_property(f"{' + '.join(CACHES)} meanwhile, MiB", ", ".join(steps))
    record_property("hours", f"{seconds[-1] / 3600:.2f}")
    record_property(
        "resident at half and at the end, MiB", f"{memory[late][0] / MIB:.1f}, {memory[-1] / MIB:.1f}"
    )
    record_property("growth in the second half by its slope, MiB", f"{growth / MIB:.2f}")
    record_property("batches", outcome.acknowledged)
    record_property("answers by status", outcome.statuses)
    record_property("the generator was late at worst, s", f"{outcome.behind:.1f}")
    record_property("cores", f"{use.cpu / use.seconds:.2f}")
    assert outcome.acknowledged == outcome.sent > 0
    assert judged, "nothing was judged"
    assert "Traceback" not in log, log[-5000:]
    assert growth < MAX_GROWTH_BYTES, f"{growth / MIB:.1f} MiB in the second half"
    assert memory.max() < MAX_BYTES
