"""Three minutes of one-second ticks and three days of fifteen-second ticks: the same shape has the same verdict."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from memwarden_core.recording import FloatArray
from memwarden_core.replay import replay
from memwarden_core.settings import JudgeSettings, Sensitivity
from memwarden_core.synthetic import (
    MB,
    DeathOf,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    at_batch_end,
    constant,
    for_ever,
    record,
)
from memwarden_core.verdict import Kind, Verdict

SPANS = {
    "three minutes": (180, 1.0, Sensitivity.HIGH),
    "three days": (17_500, 15.0, Sensitivity.NORMAL),
}
"""Ticks, seconds between two, and what `memwarden run` and a collector take for usual."""
LOOKS = 12


def judged(span: str, shape: Callable[[int], Shape], seed: int) -> list[Verdict]:
    """From the start to the end, each with the one before it."""
    ticks, interval, sensitivity = SPANS[span]
    settings = replace(JudgeSettings.of(sensitivity), bootstrap_rounds=10)
    recording = record(shape(ticks), ticks, seed, interval, profile_ticks=ticks // 36)
    return list(replay(recording, every_ticks=ticks / LOOKS, settings=settings))


def service(*sites: SyntheticSite, **options: object) -> Shape:
    requests = SyntheticSite("handle", constant(0.3 * MB), after(0.6))
    return Shape([SyntheticProcess([requests, *sites])], **options)  # type: ignore[arg-type]  # options of Shape


def kept(total_bytes: float, death_of: Callable[[int], DeathOf]) -> Callable[[int], Shape]:
    """A site that allocates so much over the whole run."""
    return lambda ticks: service(
        SyntheticSite("remember", constant(total_bytes / ticks), death_of(ticks)), noise_bytes=0.5 * MB
    )


def steps(ticks: int) -> Shape:
    def loaded(tick: FloatArray) -> FloatArray:
        return 30 * MB * ((tick > 0.4 * ticks) + (tick > 0.7 * ticks)).astype(np.float64)

    return service(added=loaded)


HEALTHY = {
    "nothing": lambda ticks: service(noise_bytes=3 * MB, noise_memory=0.95),
    "a cache that fills": kept(400 * MB, lambda ticks: after(ticks / 8)),
    "batches": kept(400 * MB, lambda ticks: at_batch_end(ticks / 60)),
    "models that are loaded": steps,
}


@pytest.mark.parametrize("span", SPANS)
def test_a_leak_is_called_one_and_by_its_site(span: str) -> None:
    *_, verdict = judged(span, kept(150 * MB, lambda ticks: for_ever), 3)
    assert verdict.kind is Kind.LEAKING, verdict.reason
    assert verdict.sites[0].function == "remember"


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("shape", HEALTHY.values(), ids=HEALTHY)
def test_what_is_healthy_is_never_called_a_leak(span: str, shape: Callable[[int], Shape]) -> None:
    assert Kind.LEAKING not in {verdict.kind for verdict in judged(span, shape, 4)}
