"""Growth that slows as the program gets less done is no cache; growth that slows by work too is one."""

import numpy as np
from eager import replay

from memwarden_core.recording import FloatArray, Recording
from memwarden_core.synthetic import (
    MB,
    RateOf,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    for_ever,
    record,
)
from memwarden_core.verdict import Kind

TICKS = 300


def pace(tick: FloatArray) -> FloatArray:
    return 1 / (1 + tick / 60)


def slowing(kept_pace: RateOf) -> Recording:
    """Ever less is done; what is kept of it becomes less at its own pace."""
    sites = [
        SyntheticSite("handle", lambda tick: 30 * MB * pace(tick), after(0.6)),
        SyntheticSite("remember", lambda tick: 2 * MB * kept_pace(tick), for_ever),
    ]
    return record(Shape([SyntheticProcess(sites)]), TICKS, 3)


def test_a_leak_whose_program_slows_is_a_leak() -> None:
    *_, verdict = replay(slowing(pace))
    assert verdict.kind is Kind.LEAKING
    text = next(gate.text for gate in verdict.gates if gate.name == "not-slowing")
    assert "slows only as the program does: it gets" in text


def test_growth_that_slows_by_work_too_is_a_cache() -> None:
    verdicts = list(replay(slowing(lambda tick: 2 * pace(tick) * np.exp(-tick / 40))))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}
    assert verdicts[-1].kind in (Kind.CACHE_FILLING, Kind.HEALTHY)


def test_a_job_that_is_done_leaves_no_leak() -> None:
    """Nearly all work was that of the job, and memory grew with it: it has come to rest with it too."""

    def job(tick: FloatArray) -> FloatArray:
        return np.where(tick < 100, 1.0, 0.02)

    sites = [
        SyntheticSite("parse", lambda tick: 30 * MB * job(tick), after(0.6)),
        SyntheticSite("load", lambda tick: 0.6 * MB * np.where(tick < 100, 1.0, 0.0), for_ever),
    ]
    verdicts = list(replay(record(Shape([SyntheticProcess(sites)], limit_bytes=2048 * MB), TICKS, 3)))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}


def test_memory_that_python_never_asked_for_is_not_fragmented() -> None:
    """Pages of a file that are written to, one after another: the heap is flat, and so small that it can't be it."""

    def ends(churn_bytes: float) -> set[Kind]:
        requests = SyntheticSite("handle", lambda tick: np.full(tick.size, churn_bytes), after(0.6))
        shape = Shape(
            [SyntheticProcess([requests])],
            added=lambda tick: 40 * MB * (1 - np.exp(-tick / 60)),
            noise_bytes=0.05 * MB,
        )
        return {verdict.kind for verdict in replay(record(shape, 200, 3))}

    assert Kind.FRAGMENTED not in ends(0.05 * MB)
    assert Kind.CACHE_FILLING in ends(0.05 * MB)
    assert Kind.FRAGMENTED in ends(20 * MB)
