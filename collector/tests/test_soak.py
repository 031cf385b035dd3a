"""An hour of load with judgements: the collector's memory stays where it is. MEMWARDEN_SOAK_SECONDS shortens it."""

import os
from typing import Any

import numpy as np
import pytest
from collector_load import running
from collector_load.senders import Plan, Sending

SECONDS = float(os.environ.get("MEMWARDEN_SOAK_SECONDS", "3600"))
SENDERS = 200
RATE = 40.0
MAX_GROWTH_BYTES = 12 << 20
"""In the second half, by a line through it: caches of names and templates grow with each process that is new, pools of
the allocator a little. A leak of one small object a request would be more in an hour."""
MAX_BYTES = 512 << 20


@pytest.mark.nightly
@pytest.mark.timeout(SECONDS + 1200)
def test_memory_is_flat(record_property: Any) -> None:
    with running.collector("--judge-every-intervals", "5") as ours:
        plan = Plan(
            ours.url, senders=SENDERS, rate=RATE, seconds=SECONDS, connections=50, churn=200, again=True
        )
        sending = Sending(plan)
        try:
            with running.measured(ours) as use:
                outcome = sending.result()
        finally:
            sending.end()
        judged = ours.rows("select count(*) from verdict")[0][0]
        log = ours.log.read_text()
    seconds, memory = np.array(use.memories, dtype=float).T
    late = seconds > seconds[-1] / 2
    slope = np.polyfit(seconds[late], memory[late], 1)[0]
    growth = slope * (seconds[-1] / 2)
    record_property("hours", f"{seconds[-1] / 3600:.2f}")
    record_property(
        "resident at half and at the end, MiB", f"{memory[late][0] / 2**20:.1f}, {memory[-1] / 2**20:.1f}"
    )
    record_property("growth in the second half by its slope, MiB", f"{growth / 2**20:.2f}")
    record_property("batches", outcome.acknowledged)
    record_property("answers by status", outcome.statuses)
    record_property("the generator was late at worst, s", f"{outcome.behind:.1f}")
    record_property("cores", f"{use.cpu / use.seconds:.2f}")
    assert outcome.acknowledged == outcome.sent > 0
    assert judged, "nothing was judged"
    assert "Traceback" not in log, log[-5000:]
    assert growth < MAX_GROWTH_BYTES, f"{growth / 2**20:.1f} MiB in the second half"
    assert memory.max() < MAX_BYTES
