"""The families of generated runs: what a leak and what a healthy program can look like, with what must be
said.

Used by the tests and by `benchmarks/judge_families.py`. Rates and times are drawn anew for each seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from memwarden_core.recording import FloatArray
from memwarden_core.synthetic import (
    MB,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    at_batch_end,
    constant,
    first_in_first_out,
    for_ever,
)


@dataclass(frozen=True)
class Family:
    """A kind of run. `leak`: it leaks; `undecidable`: nobody could tell at that time, shown but not
    asserted."""

    name: str
    leak: bool
    ticks: int
    shape: Callable[[np.random.Generator], Shape]
    within: int | None = None
    """For leaks: ticks in which most must be found with high sensitivity: its `patience` of the time to the limit of
    512 MiB for the slowest, and what a second judgement takes."""
    begins: int = 0
    undecidable: bool = False
    site: str = "remember"


def _service(generator: np.random.Generator) -> list[SyntheticSite]:
    """What every service does: requests whose memory dies young, and a garbage collector that comes by."""
    return [
        SyntheticSite("handle_request", constant(generator.uniform(1, 4) * MB), after(0.6)),
        SyntheticSite(
            "build_page", constant(generator.uniform(0.2, 0.8) * MB), at_batch_end(generator.uniform(5, 9))
        ),
    ]


def _with(generator: np.random.Generator, *sites: SyntheticSite, **options: object) -> Shape:
    base = generator.uniform(30, 120) * MB
    process = SyntheticProcess([*_service(generator), *sites], base)
    return Shape([process], **options)  # type: ignore[arg-type]  # options of Shape, given by name


def _leak(
    rate: tuple[float, float], begin: float = 3.0, **options: object
) -> Callable[[np.random.Generator], Shape]:
    def shape(generator: np.random.Generator) -> Shape:
        amount = generator.uniform(*rate) * MB
        return _with(generator, SyntheticSite("remember", constant(amount, begin), for_ever), **options)

    return shape


def _staircase(generator: np.random.Generator) -> Shape:
    period = generator.integers(4, 9)
    size = generator.uniform(2, 5) * MB
    site = SyntheticSite("remember", lambda tick: np.where(tick % period == 0, size, 0.0), for_ever)
    return _with(generator, site)


def _native(generator: np.random.Generator) -> Shape:
    rate = constant(generator.uniform(0.5, 2) * MB, 3)
    return _with(generator, SyntheticSite("array", rate, for_ever, sampled=False))


def _native_cache(generator: np.random.Generator) -> Shape:
    tau = generator.uniform(10, 45)
    rate = constant(generator.uniform(0.5, 2) * MB, 3)
    return _with(generator, SyntheticSite("array", rate, after(tau), sampled=False))


def _cache_random(shortest: float, longest: float) -> Callable[[np.random.Generator], Shape]:
    def shape(generator: np.random.Generator) -> Shape:
        tau = generator.uniform(shortest, longest)
        return _with(
            generator, SyntheticSite("cached", constant(generator.uniform(0.5, 2) * MB, 3), after(tau))
        )

    return shape


def _cache_linear(shortest: float, longest: float) -> Callable[[np.random.Generator], Shape]:
    def shape(generator: np.random.Generator) -> Shape:
        ticks = generator.uniform(shortest, longest)
        site = SyntheticSite("cached", constant(generator.uniform(0.5, 2) * MB, 3), first_in_first_out(ticks))
        return _with(generator, site)

    return shape


def _warm_up(generator: np.random.Generator) -> Shape:
    tau, peak = generator.uniform(4, 25), generator.uniform(1, 5) * MB
    return _with(generator, SyntheticSite("load_modules", lambda tick: peak * np.exp(-tick / tau), for_ever))


def _sawtooth(shortest: float, longest: float) -> Callable[[np.random.Generator], Shape]:
    def shape(generator: np.random.Generator) -> Shape:
        period = generator.uniform(shortest, longest)
        death = at_batch_end(period, generator.uniform(0, period))
        return _with(generator, SyntheticSite("batch", constant(generator.uniform(0.5, 2) * MB), death))

    return shape


def _steps(generator: np.random.Generator) -> Shape:
    moments = np.sort(generator.uniform(20, 220, generator.integers(1, 4)))
    size = generator.uniform(10, 60) * MB
    return _with(generator, added=lambda tick: size * np.searchsorted(moments, tick).astype(np.float64))


def _load_ramp(generator: np.random.Generator) -> Shape:
    end = generator.uniform(60, 150)
    high = generator.uniform(2, 5)

    def load(tick: FloatArray) -> FloatArray:
        return 0.15 * (1 + (high - 1) * np.clip(tick / end, 0, 1))

    size = generator.uniform(0.6, 2) * MB
    site = SyntheticSite("connection", lambda tick: size * load(tick) / 0.15, after(8))
    request = SyntheticSite("request", lambda tick: 2 * MB * load(tick) / 0.15, after(0.5))
    return Shape([SyntheticProcess([site, request], generator.uniform(30, 60) * MB)], load=load)


def _wander(memory: float, share: float) -> Callable[[np.random.Generator], Shape]:
    def shape(generator: np.random.Generator) -> Shape:
        return _with(generator, noise_bytes=generator.uniform(0.3, 1.0) * share * MB, noise_memory=memory)

    return shape


def _shrink(generator: np.random.Generator) -> Shape:
    size = generator.uniform(20, 60) * MB
    return _with(generator, added=lambda tick: size * np.exp(-tick / 80))


def _workers(generator: np.random.Generator) -> Shape:
    main = SyntheticProcess(_service(generator), 60 * MB)
    short = [
        SyntheticProcess(
            [SyntheticSite("job", constant(1 * MB), for_ever)],
            25 * MB,
            float(begin),
            float(begin + generator.uniform(4, 30)),
        )
        for begin in np.cumsum(generator.exponential(8, 30)) + 5
        if begin < 290
    ]
    return Shape([main, *short])


def _pool(generator: np.random.Generator) -> Shape:
    begin = np.cumsum(generator.exponential(6, 8)) + 3
    return Shape([SyntheticProcess(_service(generator), 50 * MB, float(at)) for at in (0, *begin)])


def _threads(generator: np.random.Generator) -> Shape:
    """A pool that takes on one thread after another; each brings a table of its own and stays."""
    starts = np.cumsum(generator.uniform(4, 9, generator.integers(12, 30))) + 5
    size = generator.uniform(0.8, 3) * MB

    def table(tick: FloatArray) -> FloatArray:
        return size * (np.searchsorted(starts, tick + 1) - np.searchsorted(starts, tick)).astype(np.float64)

    process = SyntheticProcess(
        [*_service(generator), SyntheticSite("serve", table, for_ever)],
        generator.uniform(30, 120) * MB,
        threads=lambda tick: 3.0 + np.searchsorted(starts, tick).astype(np.float64),
    )
    return Shape([process])


def _slowing(generator: np.random.Generator) -> Shape:
    """A leak that each request has to walk through: as busy as ever, it gets less done."""
    tau = generator.uniform(40, 80)
    size, request = generator.uniform(1.0, 3.0) * MB, generator.uniform(20, 40) * MB

    def pace(tick: FloatArray) -> FloatArray:
        return 1 / (1 + tick / tau)

    sites = [
        SyntheticSite("handle_request", lambda tick: request * pace(tick), after(0.6)),
        SyntheticSite("remember", lambda tick: size * pace(tick), for_ever),
    ]
    return Shape([SyntheticProcess(sites, generator.uniform(30, 120) * MB)])


def _leaky_workers(generator: np.random.Generator) -> Shape:
    rate = generator.uniform(0.3, 0.8) * MB
    sites = [*_service(generator), SyntheticSite("remember", constant(rate, 4), for_ever)]
    return Shape(
        [
            SyntheticProcess(_service(generator), 40 * MB),
            *(SyntheticProcess(sites, 40 * MB, at) for at in (1, 1.5)),
        ]
    )


def _restarting(generator: np.random.Generator) -> Shape:
    period = int(generator.integers(35, 50))
    sites = [*_service(generator), SyntheticSite("job", constant(0.5 * MB), for_ever)]
    return Shape([SyntheticProcess(sites, 60 * MB, at, at + period) for at in range(0, 300, period)])


def _fragmenting(generator: np.random.Generator) -> Shape:
    tau, size = generator.uniform(15, 50), generator.uniform(20, 60) * MB
    return _with(generator, added=lambda tick: size * (1 - np.exp(-tick / tau)))


def _one_peak(generator: np.random.Generator) -> Shape:
    size = generator.uniform(40, 90) * MB
    peak = SyntheticSite(
        "load_all",
        lambda tick: np.where((tick > 10) & (tick < 15), size / 5, 0.0),
        lambda birth, _: birth * 0 + 25,
    )
    return _with(generator, peak, added=lambda tick: np.where(tick > 25, 1.05 * size, 0.0))


def _gappy(generator: np.random.Generator) -> Shape:
    begin = generator.uniform(40, 120)
    return _with(generator, gaps=[(begin, begin + generator.uniform(15, 60)), (200, 212)])


FAMILIES: tuple[Family, ...] = (
    Family("leak-fast", True, 150, _leak((0.5, 2.0)), 115),
    Family("leak-late", True, 400, _leak((0.5, 2.0), 240), 125, begins=240),
    Family("leak-slow", True, 400, _leak((0.08, 0.2)), 300),
    Family("leak-slow-in-noise", True, 500, _leak((0.1, 0.2), noise_bytes=1.5 * MB), 400),
    Family("leak-staircase", True, 280, _staircase, 200),
    Family("leak-native", True, 200, _native, 110),
    Family("leak-in-workers", True, 200, _leaky_workers, 100),
    Family("leak-that-slows", True, 300, _slowing, 250),
    Family("leak-with-gap", True, 240, _leak((0.5, 1.5), gaps=[(40, 52)]), 130),
    Family("white-noise", False, 300, _wander(0.0, 5)),
    Family("wandering-0.95", False, 300, _wander(0.95, 6)),
    Family("random-walk", False, 300, _wander(1.0, 0.6)),
    Family("service", False, 300, lambda generator: _with(generator)),
    Family("warm-up", False, 300, _warm_up),
    Family("cache-linear-20-45", False, 300, _cache_linear(20, 45)),
    Family("cache-random-10-40", False, 300, _cache_random(10, 40)),
    Family("cache-native-10-45", False, 300, _native_cache),
    Family("sawtooth-5-50", False, 300, _sawtooth(5, 50)),
    Family("steps", False, 300, _steps),
    Family("load-ramp", False, 300, _load_ramp),
    Family("shrink", False, 300, _shrink),
    Family("short-workers", False, 300, _workers),
    Family("pool-starts", False, 300, _pool),
    Family("threads-start", False, 300, _threads),
    Family("restarting", False, 300, _restarting),
    Family("fragmenting", False, 300, _fragmenting),
    Family("one-peak", False, 300, _one_peak),
    Family("gaps", False, 300, _gappy),
    Family("cache-linear-60-150", False, 300, _cache_linear(60, 150), undecidable=True),
    Family("cache-random-60-200", False, 300, _cache_random(60, 200), undecidable=True),
    Family("sawtooth-60-150", False, 300, _sawtooth(60, 150), undecidable=True),
)
