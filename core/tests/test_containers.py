"""Caches and containers come back out of a recording, and out of a kept file, as they were sent."""

import io

import numpy as np
import pytest

from memwarden_core.containers import caches, containers
from memwarden_core.recording import ProcessInfo, Recording, Series, SeriesKey
from memwarden_core.recording_file import read_recording, write_recording
from memwarden_core.signals import CACHE_BOUND, CACHE_ENTRIES, CACHE_HITS, CACHE_MISSES, CONTAINER_ENTRIES

START = 1.8e9


def of_cache(**labels: object) -> str:
    """As the collector writes several attributes: in the order of the keys."""
    keys = {
        "file": "code.file.path",
        "line": "code.line.number",
        "id": "memwarden.cache.id",
        "kind": "memwarden.cache.kind",
        "name": "memwarden.cache.name",
    }
    return ",".join(f"{key}={labels[short]}" for short, key in keys.items() if short in labels)


def of_container(identity: str, name: str) -> str:
    parts = [f"memwarden.container.id={identity}", *([f"memwarden.container.name={name}"] if name else [])]
    return ",".join([*parts, "memwarden.container.type=builtins.dict"])


def recorded(*series: tuple[str, int | None, str, list[tuple[float, float]]]) -> Recording:
    process = ProcessInfo(7, None, START, START + 300, False, "app", "app", "cpython 3.13", True, "")
    return Recording(
        "run", "app", START, START + 300, 1.0, None, (process,),
        {
            SeriesKey(metric, place, attribute): Series(
                START + np.array([at for at, _ in points]), np.array([float(value) for _, value in points])
            )
            for metric, place, attribute, points in series
        },
    )  # fmt: skip


PRICES = of_cache(file="/srv/a=1,b/shop.py", line=12, id="1f", kind="lru_cache", name="price.<locals>.of")
LATER = of_cache(id="2a", kind="cachetools.LRUCache", name="shop.PAGES")


@pytest.fixture
def recording() -> Recording:
    return recorded(
        (CACHE_ENTRIES, 0, PRICES, [(10, 100), (40, 200), (70, 300)]),
        (CACHE_BOUND, 0, PRICES, [(10, 1000), (40, 1000), (70, 1000)]),
        (CACHE_HITS, 0, PRICES, [(10, 10), (40, 60), (70, 300)]),
        (CACHE_MISSES, 0, PRICES, [(10, 100), (40, 200), (70, 100)]),
        (CACHE_ENTRIES, 0, LATER, [(70, 9)]),
        (CONTAINER_ENTRIES, 0, of_container("aa", ""), [(10, 300), (40, 400)]),
        (CONTAINER_ENTRIES, 0, of_container("aa", "shop.ORDERS"), [(70, 500)]),
        (CONTAINER_ENTRIES, 5, of_container("bb", "of.NOBODY"), [(70, 500)]),
    )


def kept(recording: Recording) -> Recording:
    packed = io.BytesIO()
    write_recording(recording, packed)
    packed.seek(0)
    return read_recording(packed)


@pytest.mark.parametrize("through_a_file", [False, True])
def test_caches_come_back_whole(recording: Recording, through_a_file: bool) -> None:
    if through_a_file:
        del recording.series[SeriesKey(CONTAINER_ENTRIES, 5, of_container("bb", "of.NOBODY"))]  # type: ignore[attr-defined]
        recording = kept(recording)
    prices, pages = caches(recording)
    assert (prices.process, prices.id, prices.kind, prices.name) == (
        0,
        "1f",
        "lru_cache",
        "price.<locals>.of",
    )
    assert (prices.file, prices.line, prices.bound) == ("/srv/a=1,b/shop.py", 12, 1000)
    assert prices.entries.value.tolist() == [100, 200, 300]
    assert prices.hit_rate == 0.75
    assert not prices.is_full
    assert (pages.name, pages.bound, pages.size, pages.hit_rate) == ("shop.PAGES", None, 9, None)
    assert (pages.file, pages.line) == ("", 0)


def test_what_is_known_at_a_moment_is_nothing_later(recording: Recording) -> None:
    (prices,) = caches(recording, START + 40)
    assert (prices.size, prices.hit_rate) == (200, 60 / 260)
    (orders,) = containers(recording, START + 40)
    assert (orders.name, orders.size) == ("", 400)
    assert caches(recording, START + 5) == containers(recording, START + 5) == ()


def test_a_name_that_is_found_later_makes_no_second_thing(recording: Recording) -> None:
    (orders,) = containers(recording)
    assert (orders.id, orders.type, orders.name) == ("aa", "builtins.dict", "shop.ORDERS")
    assert orders.entries.value.tolist() == [300, 400, 500]


def test_a_bound_that_was_taken_away_is_none() -> None:
    (cache,) = caches(
        recorded(
            (CACHE_ENTRIES, 0, PRICES, [(10, 100), (40, 200)]),
            (CACHE_BOUND, 0, PRICES, [(10, 1000)]),
        )
    )
    assert cache.bound is None
    assert not cache.is_full


def test_series_of_others_and_odd_ones_are_passed_over() -> None:
    odd = recorded(
        (CACHE_ENTRIES, None, PRICES, [(10, 1)]),
        (CACHE_ENTRIES, 0, "", [(10, 1)]),
        (CACHE_ENTRIES, 0, of_cache(kind="lru_cache"), [(10, 1)]),
        (CACHE_ENTRIES, 0, of_cache(id="1"), [(10, float("nan"))]),
        (CACHE_BOUND, 0, of_cache(id="2"), [(10, 5)]),
        (CONTAINER_ENTRIES, 0, "nonsense", [(10, 5)]),
    )
    assert caches(odd) == containers(odd) == ()
    (cache,) = caches(recorded((CACHE_ENTRIES, 0, of_cache(id="3", line="many"), [(10, 1)])))
    assert cache.line == 0
