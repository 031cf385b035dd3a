"""Growth into a cache whose bound is known is no leak; growth beside one, or past a full one, is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from eager import judge, replay

from memwarden_core.recording import FloatArray, Recording, Series, SeriesKey
from memwarden_core.signals import (
    CACHE_BOUND,
    CACHE_BOUND_AGE,
    CACHE_BOUND_BYTES,
    CACHE_ENTRIES,
    CONTAINER_ENTRIES,
)
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

TICKS = 200
EVERY = 10.0
PACE = 1.0 * MB
"""Bytes a tick: the synthetic site `remember` in /srv/shop/remember.py keeps them all."""

EntriesOf = Callable[[FloatArray], FloatArray]


def growing(limit_bytes: float | None = 2048 * MB) -> Recording:
    process = SyntheticProcess([SyntheticSite("remember", constant(PACE), for_ever)], 60 * MB)
    return record(Shape([process], limit_bytes=limit_bytes), TICKS, 7)


def with_cache(
    recording: Recording, entries: EntriesOf, bound: float | None, code: str = "", name: str = ""
) -> Recording:
    """The same, and what censuses saw of a cache."""
    at = np.arange(10.0, TICKS, EVERY)
    attribute = ",".join(
        part
        for part in (
            f"code.file.path={code},code.line.number=3" if code else "",
            "memwarden.cache.id=1a",
            f"memwarden.cache.kind={'lru_cache' if code else 'deque'}",
            f"memwarden.cache.name={name}" if name else "",
        )
        if part
    )
    series = {SeriesKey(CACHE_ENTRIES, 0, attribute): Series(EPOCH + at, np.floor(entries(at)))}
    if bound is not None:
        series[SeriesKey(CACHE_BOUND, 0, attribute)] = Series(EPOCH + at, np.full(at.size, bound))
    return replace(recording, series={**recording.series, **series})


def last(recording: Recording) -> Verdict:
    *_, verdict = replay(recording)
    return verdict


@pytest.fixture(scope="module")
def leak() -> Recording:
    return growing()


def test_without_a_cache_it_is_a_leak(leak: Recording) -> None:
    assert last(leak).kind is Kind.LEAKING


@pytest.mark.parametrize("name", ["remember", "Shop.remember"])
def test_what_the_cached_function_allocates_is_the_caches(leak: Recording, name: str) -> None:
    filling = with_cache(leak, lambda at: at * 4, 1000, "/srv/shop/remember.py", name)
    verdicts = list(replay(filling))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}
    assert verdicts[-1].kind is Kind.CACHE_FILLING
    # 760 of 1000 entries for some 190 MB: a quarter of a megabyte each.
    assert f"{name}, which holds 760 of at most 1000 entries" in verdicts[-1].reason
    assert "some 6" in verdicts[-1].reason
    assert "MB are still to come" in verdicts[-1].reason


def test_one_without_a_name_goes_in_step_with_the_memory(leak: Recording) -> None:
    verdict = last(with_cache(leak, lambda at: at * 30, 9000))
    assert verdict.kind is Kind.CACHE_FILLING
    assert "a deque" in verdict.reason


@pytest.mark.parametrize(
    ("entries", "bound", "code"),
    [
        (lambda at: at * 4, 1000, "/srv/shop/other.py"),  # another function's
        (lambda at: np.minimum(at * 40, 1000), 1000, "/srv/shop/remember.py"),  # full long ago
        (lambda at: at * 0 + 300, 1000, "/srv/shop/remember.py"),  # does not grow
        (lambda at: at * 4, None, "/srv/shop/remember.py"),  # has no bound
        (lambda at: 5 + at % 7, 9000, ""),  # goes up and down
    ],
)
def test_any_other_cache_is_no_excuse(
    leak: Recording, entries: EntriesOf, bound: float | None, code: str
) -> None:
    name = "remember" if code.endswith("remember.py") else "look_up" if code else ""
    assert last(with_cache(leak, entries, bound, code, name)).kind is Kind.LEAKING


def test_a_bound_beyond_the_limit_is_none() -> None:
    """The container is killed before the cache is full."""
    leak = growing(limit_bytes=400 * MB)
    filling = with_cache(leak, lambda at: at * 4, 4000, "/srv/shop/remember.py", "remember")
    assert last(filling).kind is Kind.LEAKING


def test_a_leak_is_taken_back_when_the_cache_is_seen(leak: Recording) -> None:
    """A first census that comes late."""
    said = judge(leak, now=leak.ended - 20)
    assert said.kind is Kind.LEAKING
    filling = with_cache(leak, lambda at: at * 4, 1000, "/srv/shop/remember.py", "remember")
    assert judge(filling, now=leak.ended, previous=(said,)).kind is Kind.CACHE_FILLING


def in_code(recording: Recording, entries: EntriesOf, bound: float) -> Recording:
    """The same, and a dict that the code keeps to a bound."""
    at = np.arange(10.0, TICKS, EVERY)
    attribute = (
        "code.file.path=/srv/shop/app.py,code.line.number=31,memwarden.cache.id=2b,"
        "memwarden.cache.kind=builtins.dict,memwarden.cache.name=shop.app.SEEN"
    )
    series = {
        SeriesKey(CACHE_ENTRIES, 0, attribute): Series(EPOCH + at, np.floor(entries(at))),
        SeriesKey(CACHE_BOUND, 0, attribute): Series(EPOCH + at, np.full(at.size, bound)),
    }
    return replace(recording, series={**recording.series, **series})


def test_a_dict_that_the_code_keeps_to_a_bound_is_a_cache(leak: Recording) -> None:
    filling = in_code(leak, lambda at: at * 4, 1000)
    verdicts = list(replay(filling))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}
    assert "it goes into shop.app.SEEN, which holds 760 of at most 1000 entries" in verdicts[-1].reason


def of_size(recording: Recording, metric: str, most: float) -> Recording:
    """The same, and a dict whose bytes or whose entries' age the code bounds: four entries and 1 MB a tick."""
    bounded = in_code(recording, lambda at: at * 4, 0)
    series = {
        key._replace(metric=metric) if key.metric == CACHE_BOUND else key: (
            Series(one.time, np.full(one.time.size, most)) if key.metric == CACHE_BOUND else one
        )
        for key, one in bounded.series.items()
    }
    return replace(bounded, series=series)


@pytest.mark.parametrize(
    ("metric", "most", "words"),
    [
        (CACHE_BOUND_BYTES, 160 * MB, "which holds 760 entries of at most 160 MB"),
        (CACHE_BOUND_AGE, 250.0, "which keeps its entries for 4 min"),
    ],
)
def test_a_dict_whose_bytes_or_ages_the_code_bounds_is_a_cache(
    leak: Recording, metric: str, most: float, words: str
) -> None:
    verdicts = list(replay(of_size(leak, metric, most)))
    assert Kind.LEAKING not in {verdict.kind for verdict in verdicts}
    assert words in verdicts[-1].reason
    assert "are still to come" in verdicts[-1].reason


@pytest.mark.parametrize(
    ("metric", "most"),
    [(CACHE_BOUND_BYTES, 40 * MB), (CACHE_BOUND_AGE, 40.0), (CACHE_BOUND_BYTES, 0.0), (CACHE_BOUND_AGE, 0.0)],
)
def test_growth_beyond_what_the_code_bounds_is_a_leak(leak: Recording, metric: str, most: float) -> None:
    assert last(of_size(leak, metric, most)).kind is Kind.LEAKING


def test_a_cache_that_is_gone_is_no_excuse(leak: Recording) -> None:
    """It was dropped before it was full; what was counted of it stays as it was last."""
    filling = in_code(leak, lambda at: at * 4, 1000)
    gone = {
        key: Series(one.time[:8], one.value[:8]) if key.metric in (CACHE_ENTRIES, CACHE_BOUND) else one
        for key, one in filling.series.items()
    }
    at = EPOCH + np.arange(10.0, TICKS, EVERY)
    gone[SeriesKey(CONTAINER_ENTRIES, 0, "memwarden.container.id=3c")] = Series(at, np.full(at.size, 300.0))
    assert last(replace(filling, series=gone)).kind is Kind.LEAKING


def test_growth_goes_on_when_the_code_did_not_keep_to_its_bound(leak: Recording) -> None:
    assert last(in_code(leak, lambda at: at * 4, 300)).kind is Kind.LEAKING


def test_a_cache_that_has_just_become_full_explains_what_grew_until_then() -> None:
    """Nothing grows any more once it is full; it takes some windows to see that."""
    site = SyntheticSite("remember", constant(PACE, 2, 100), for_ever)
    recording = record(Shape([SyntheticProcess([site], 60 * MB)], limit_bytes=600 * MB), TICKS, 7)
    cached = in_code(recording, lambda at: np.minimum(at * 10, 1000), 1000)
    assert Kind.LEAKING not in {verdict.kind for verdict in replay(cached)}


def test_what_grows_on_when_the_cache_is_full_is_a_leak(leak: Recording) -> None:
    verdicts = list(replay(in_code(leak, lambda at: np.minimum(at * 10, 1000), 1000)))
    assert verdicts[-1].kind is Kind.LEAKING
    first = next(verdict for verdict in verdicts if verdict.kind is Kind.LEAKING)
    assert first.at - leak.started > 100
