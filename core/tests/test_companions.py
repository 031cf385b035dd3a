"""What rises together with memory: new threads explain it, a container names it, open descriptors say what to close."""

from dataclasses import replace

import numpy as np
import pytest
from eager import replay

from memwarden_core.recording import FloatArray, Recording, Series, SeriesKey
from memwarden_core.signals import CONTAINER_ENTRIES, PROCESS_FD_COUNT
from memwarden_core.synthetic import (
    EPOCH,
    MB,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    constant,
    for_ever,
    record,
)
from memwarden_core.verdict import Kind, Verdict

TICKS = 220


def last(recording: Recording) -> Verdict:
    *_, verdict = replay(recording)
    return verdict


# ── Threads ──────────────────────────────────────────────────────────────────────────────────────────────
def with_threads(
    every: float,
    each_bytes: float,
    until: float | None = None,
    otherwise_bytes: float = 0.0,
    limit_bytes: float = 600 * MB,
    ticks: int = TICKS,
) -> Recording:
    """A new thread each so many ticks, which brings so much; and so many bytes a tick beside."""
    starts = np.arange(10.0, until or ticks, every)

    def brought(tick: FloatArray) -> FloatArray:
        return each_bytes * (np.searchsorted(starts, tick + 1) - np.searchsorted(starts, tick)).astype(float)

    sites = [
        SyntheticSite("serve", brought, for_ever),
        SyntheticSite("keep", constant(otherwise_bytes), for_ever),
    ]
    process = SyntheticProcess(sites, threads=lambda tick: 2.0 + np.searchsorted(starts, tick))
    return record(Shape([process], limit_bytes=limit_bytes), ticks, 3)


def test_a_pool_that_starts_one_thread_after_another_is_no_leak() -> None:
    verdicts = list(replay(with_threads(every=8, each_bytes=6 * MB)))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}
    assert verdicts[-1].kind is Kind.GROWING
    assert "new threads, 6" in verdicts[-1].reason


def test_threads_without_end_are_a_leak() -> None:
    assert last(with_threads(every=2, each_bytes=1.5 * MB)).kind is Kind.LEAKING


def test_a_pool_that_the_limit_has_no_room_for_is_no_excuse() -> None:
    assert last(with_threads(every=8, each_bytes=6 * MB, limit_bytes=300 * MB)).kind is Kind.LEAKING


def test_threads_that_come_for_hours_are_no_pool_that_starts() -> None:
    slowly = with_threads(every=13, each_bytes=3 * MB, ticks=520)
    verdicts = list(replay(slowly, every_ticks=20))
    assert Kind.LEAKING not in {one.kind for one in verdicts if one.at - slowly.started < 280}
    assert verdicts[-1].kind is Kind.LEAKING


def test_what_grows_on_without_new_threads_is_a_leak() -> None:
    assert (
        last(with_threads(every=3, each_bytes=0.5 * MB, until=80, otherwise_bytes=0.8 * MB)).kind
        is Kind.LEAKING
    )


# ── What is named ────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def leak() -> Recording:
    site = SyntheticSite("remember", constant(1.0 * MB), for_ever)
    return record(Shape([SyntheticProcess([site])]), TICKS, 7)


def with_container(recording: Recording, name: str, entries: FloatArray, identity: str = "1a") -> Recording:
    at = EPOCH + np.arange(10.0, TICKS, 10)
    labels = {"id": identity, "name": name, "type": "builtins.dict"}
    attribute = ",".join(f"memwarden.container.{key}={value}" for key, value in labels.items())
    key = SeriesKey(CONTAINER_ENTRIES, 0, attribute)
    return replace(recording, series={**recording.series, key: Series(at, entries)})


CENSUS = np.arange(10.0, TICKS, 10)


def test_the_container_that_grows_in_step_is_named(leak: Recording) -> None:
    seen = with_container(leak, "shop.app.SEEN", 30 * CENSUS)
    seen = with_container(seen, "shop.app.TOTALS", 300 + 0 * CENSUS, "2b")
    seen = with_container(seen, "shop.app.RECENT", 5000 + 2000 * (CENSUS % 30), "3c")
    verdict = last(seen)
    assert verdict.kind is Kind.LEAKING
    assert (
        "In step with it grows shop.app.SEEN (builtins.dict): 6300 entries, +1800 a minute." in verdict.cause
    )
    assert "whether shop.app.SEEN keeps the objects made at" in verdict.advice[0].text


def test_no_container_in_step_no_name(leak: Recording) -> None:
    verdict = last(with_container(leak, "shop.app.TOTALS", 300 + 50 * np.sqrt(CENSUS) * (CENSUS % 20)))
    assert "In step" not in verdict.cause
    assert "what keeps the objects" in verdict.advice[0].text


@pytest.mark.parametrize(("a_tick", "said"), [(0.5, True), (0.0, False)])
def test_descriptors_that_pile_up_are_to_be_closed(leak: Recording, a_tick: float, said: bool) -> None:
    memory = next(iter(leak.series.values()))
    count = np.floor(8 + a_tick * np.arange(memory.time.size))
    opened = replace(leak, series={**leak.series, SeriesKey(PROCESS_FD_COUNT, 0): Series(memory.time, count)})
    told = [one.text for one in last(opened).advice if "file descriptors" in one.text]
    assert bool(told) is said
