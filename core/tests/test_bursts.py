"""A leak in bursts of very different sizes is as certain as one in a line."""

import numpy as np
from eager import replay

from memwarden_core.recording import FloatArray
from memwarden_core.settings import JudgeSettings
from memwarden_core.synthetic import (
    MB,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    constant,
    for_ever,
    record,
)
from memwarden_core.verdict import Kind

TICKS = 280
SIZES = np.random.default_rng(4).lognormal(0.5, 1.3, TICKS)


def bursts(tick: FloatArray) -> FloatArray:
    """Nothing for six ticks, then some."""
    return np.where(tick % 7 == 0, SIZES[np.minimum(tick.astype(int), TICKS - 1)] * MB, 0.0)


def test_bursts_are_certain_by_their_signs() -> None:
    sites = [
        SyntheticSite("import_feed", bursts, for_ever),
        SyntheticSite("handle", constant(0.3 * MB), after(0.4)),
    ]
    recording = record(Shape([SyntheticProcess(sites)], noise_bytes=0.0, limit_bytes=2048 * MB), TICKS, 2)
    verdicts = list(replay(recording))
    gate = next(gate for gate in verdicts[-1].gates if gate.name == "strong-drift")
    assert gate.value is not None
    assert gate.value < JudgeSettings().drift_t_leak
    assert gate.passed
    assert "hardly any goes down" in gate.text
    assert verdicts[-1].kind is Kind.LEAKING
