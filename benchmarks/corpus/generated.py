"""Series that nobody can wait for: weeks with days and nights, leaks of months. Made by formula, so scored apart.

`CASES` says what each is and what may be said of it at its end; `make(case, seed)` draws one. They are built from the
same parts as the judge's own families (`memwarden_core.synthetic`), so a good score here says that days and weeks don't
confuse the judge, and no more. They are never kept as files.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from memwarden_core.recording import FloatArray, Recording
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

MINUTE: Final = 60.0
DAY: Final = 24 * 3600.0
PROFILE_TICKS: Final = 48


@dataclass(frozen=True)
class Case:
    """A kind of long series. `days` at one tick every `interval` seconds."""

    name: str
    leak: bool
    verdicts: frozenset[str]
    days: float
    interval: float
    shape: Callable[[np.random.Generator, float], Shape]
    """Draws a shape for a number of ticks a day."""
    begins_days: float = 0.0
    site: str = "remember"

    @property
    def ticks(self) -> int:
        return int(self.days * DAY / self.interval)


def make(case: Case, seed: int) -> Recording:
    """One series of a case; the same seed gives the same series."""
    shape = case.shape(np.random.default_rng(seed + 7000), DAY / case.interval)
    recording = record(shape, case.ticks, seed, case.interval, PROFILE_TICKS)
    return replace(recording, labels={"program": case.name, "generated": "by formula"})


def by_day(
    generator: np.random.Generator, ticks_a_day: float, weekend: float = 1.0
) -> Callable[[FloatArray], FloatArray]:
    """Visitors over time, 1 in the mean: few at night, a peak in the evening, other days a little different."""
    depth = generator.uniform(0.4, 0.8)
    second = generator.uniform(0.05, 0.2)
    phase = generator.uniform(0, 2 * np.pi)
    days = generator.normal(1.0, 0.05, 400)

    def visitors(tick: FloatArray) -> FloatArray:
        turn = 2 * np.pi * tick / ticks_a_day
        shape = 1 + depth * np.sin(turn + phase) + second * np.sin(2 * turn + 0.7)
        day = np.floor(tick / ticks_a_day).astype(np.int64)
        quiet = np.where(day % 7 >= 5, weekend, 1.0)
        return np.maximum(shape, 0.05) * days[day % days.size] * quiet

    return visitors


def _service(
    visitors: Callable[[FloatArray], FloatArray],
    generator: np.random.Generator,
    *more: SyntheticSite,
    added: Callable[[FloatArray], FloatArray] | None = None,
    begins: tuple[float, ...] = (0.0,),
) -> Shape:
    """Sessions and requests that follow the visitors, and a load that shows it; one process per beginning."""
    sessions = generator.uniform(0.5, 2) * MB
    sites = [
        SyntheticSite(
            "open_session", lambda tick: sessions * visitors(tick), after(generator.uniform(6, 15))
        ),
        SyntheticSite("handle_request", lambda tick: 1 * MB * visitors(tick), after(0.5)),
        *more,
    ]
    ends = (*begins[1:], np.inf)
    base = generator.uniform(60, 150) * MB
    return Shape(
        [SyntheticProcess(sites, base, begin, end) for begin, end in zip(begins, ends, strict=True)],
        noise_bytes=0.5 * MB,
        noise_memory=0.9,
        added=added or (lambda tick: np.zeros(tick.size)),
        load=lambda tick: 0.2 * visitors(tick),
    )


def _flat(tick: FloatArray) -> FloatArray:
    return np.ones(tick.size)


def _daily(generator: np.random.Generator, ticks_a_day: float) -> Shape:
    return _service(by_day(generator, ticks_a_day), generator)


def _weekly(generator: np.random.Generator, ticks_a_day: float) -> Shape:
    return _service(by_day(generator, ticks_a_day, generator.uniform(0.3, 0.6)), generator)


def _nightly_batch(generator: np.random.Generator, ticks_a_day: float) -> Shape:
    size, hours = generator.uniform(30, 90) * MB, generator.uniform(1, 3)

    def batch(tick: FloatArray) -> FloatArray:
        hour = (tick / ticks_a_day * 24) % 24
        return np.where(hour < hours, size * hour / hours, 0.0)

    return _service(by_day(generator, ticks_a_day), generator, added=batch)


def _more_visitors(generator: np.random.Generator, ticks_a_day: float) -> Shape:
    daily, growth = by_day(generator, ticks_a_day), generator.uniform(0.02, 0.05)
    return _service(lambda tick: daily(tick) * (1 + growth * tick / ticks_a_day), generator)


def _filling(generator: np.random.Generator, ticks_a_day: float) -> Shape:
    size, days = generator.uniform(60, 150) * MB, generator.uniform(1.5, 4)
    cache = SyntheticSite(
        "cached",
        lambda tick: size / days / ticks_a_day * np.exp(-tick / ticks_a_day / days),
        for_ever,
    )
    return _service(by_day(generator, ticks_a_day), generator, cache)


def _slow_leak(
    season: bool, percent_a_day: tuple[float, float]
) -> Callable[[np.random.Generator, float], Shape]:
    def shape(generator: np.random.Generator, ticks_a_day: float) -> Shape:
        visitors = by_day(generator, ticks_a_day) if season else _flat
        rate = generator.uniform(*percent_a_day) / 100 * 512 * 2**20 / ticks_a_day
        leak = SyntheticSite("remember", lambda tick: rate * visitors(tick), for_ever)
        return _service(visitors, generator, leak)

    return shape


def _leak_from(day: float) -> Callable[[np.random.Generator, float], Shape]:
    def shape(generator: np.random.Generator, ticks_a_day: float) -> Shape:
        visitors = by_day(generator, ticks_a_day)
        rate = generator.uniform(2, 5) / 100 * 512 * 2**20 / ticks_a_day
        begun = constant(rate, day * ticks_a_day)
        return _service(
            visitors, generator, SyntheticSite("remember", lambda t: begun(t) * visitors(t), for_ever)
        )

    return shape


def _leak_with_deploys(generator: np.random.Generator, ticks_a_day: float) -> Shape:
    visitors = by_day(generator, ticks_a_day)
    rate = generator.uniform(4, 8) / 100 * 512 * 2**20 / ticks_a_day
    leak = SyntheticSite("remember", lambda tick: rate * visitors(tick), for_ever)
    begins = tuple(day * ticks_a_day for day in (0.0, 5.0, 10.0, 15.0))
    return _service(visitors, generator, leak, begins=begins)


HEALTHY: Final = frozenset({"Healthy"})
LEAKING: Final = frozenset({"Leaking"})
FILLING: Final = frozenset({"Healthy", "CacheFilling", "Growing"})
CASES: Final = (
    Case("daily_season", False, HEALTHY, 14, 5 * MINUTE, _daily),
    Case("daily_season_each_minute", False, HEALTHY, 4, MINUTE, _daily),
    Case("weekly_season", False, HEALTHY, 28, 5 * MINUTE, _weekly),
    Case("nightly_batch", False, HEALTHY, 14, 5 * MINUTE, _nightly_batch),
    Case("more_visitors", False, frozenset({"Healthy", "Growing"}), 28, 5 * MINUTE, _more_visitors),
    Case("cache_of_days", False, FILLING, 21, 5 * MINUTE, _filling),
    Case("slow_leak", True, LEAKING, 28, 5 * MINUTE, _slow_leak(False, (0.8, 2.0))),
    Case("slow_leak_in_season", True, LEAKING, 28, 5 * MINUTE, _slow_leak(True, (0.8, 2.0))),
    Case("leak_in_season", True, LEAKING, 7, MINUTE, _slow_leak(True, (4.0, 9.0))),
    Case("leak_from_a_day", True, LEAKING, 21, 5 * MINUTE, _leak_from(10.0), begins_days=10.0),
    Case("leak_with_deploys", True, frozenset({"Leaking", "Growing"}), 18, 5 * MINUTE, _leak_with_deploys),
)
