"""More work explains more memory only where memory follows the work, not where both merely rise."""

import numpy as np
from eager import replay

from memwarden_core.recording import FloatArray
from memwarden_core.synthetic import (
    MB,
    RateOf,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    constant,
    for_ever,
    record,
)
from memwarden_core.verdict import Kind, Verdict

TICKS = 230


def busy(tick: FloatArray) -> FloatArray:
    """It rises, and goes up and down on the way."""
    return 0.1 * (1 + tick / 60 + 0.5 * np.sin(tick / 12))


def morning(tick: FloatArray) -> FloatArray:
    """It rises without a pause."""
    return 0.1 * (1 + tick / 50)


def last(keep: SyntheticSite, load: RateOf = busy, base_bytes: float = 200 * MB) -> Verdict:
    requests = SyntheticSite("handle", lambda tick: 40 * MB * load(tick), after(0.5))
    shape = Shape([SyntheticProcess([keep, requests], base_bytes)], load=load, limit_bytes=2048 * MB)
    *_, verdict = replay(record(shape, TICKS, 9))
    return verdict


def test_a_leak_that_rises_beside_its_load_is_a_leak() -> None:
    verdict = last(SyntheticSite("remember", constant(0.8 * MB), for_ever))
    assert verdict.kind is Kind.LEAKING


def test_memory_that_follows_the_load_is_none() -> None:
    verdict = last(SyntheticSite("connect", lambda tick: 40 * MB * busy(tick), after(10)))
    assert verdict.kind is not Kind.LEAKING


def test_rises_are_compared_as_they_are_measured() -> None:
    """A small process: from its first moment to its last it becomes five times as large, as the load does, whose thirds
    differ by less."""
    verdict = last(SyntheticSite("connect", lambda tick: 40 * MB * morning(tick), after(4)), morning, 4 * MB)
    assert verdict.kind is not Kind.LEAKING
