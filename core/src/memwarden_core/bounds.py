"""A cache whose bound is known and that is not full yet: is it what grows?

Growth into it ends by itself, so it is no leak. It must be shown that memory grows into this one: by the code that
allocates what grows (the cached function), or by a number of entries that rises in step with the memory. What the
cache will hold when it is full must fit below the limit; else it doesn't matter that it has a bound.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from memwarden_core.attribution import Attribution
from memwarden_core.companions import in_step, seen_since
from memwarden_core.containers import Cache, caches
from memwarden_core.growth import Growth
from memwarden_core.recording import MemoryLimit, Recording, Series
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Site


@dataclass(frozen=True, slots=True)
class Filling:
    """A cache that fills, and the memory with it."""

    cache: Cache
    still_to_come: float
    """Bytes until it is full, at what an entry takes now."""

    @property
    def name(self) -> str:
        """As a person would point at it."""
        return self.cache.name or f"a {self.cache.kind}"


def filling(
    recording: Recording,
    growth: Growth,
    sites: Attribution | None,
    memory: Series,
    limit: MemoryLimit | None,
    settings: JudgeSettings,
) -> Filling | None:
    """The cache that this growth goes into, the largest to come first; None where none explains it."""
    found = []
    for cache in caches(recording, float(memory.time[-1])):
        if cache.bound is None or _is_long_full(cache, recording.interval, settings):
            continue
        entries = seen_since(cache.entries, growth.since, recording.interval)
        gained = float(entries.value[-1] - entries.value[0]) if entries.value.size > 1 else 0.0
        if gained <= 0 or not _explains(cache, entries, sites, memory, settings):
            continue
        span = float(entries.time[-1] - entries.time[0])
        each = growth.trend.slope * span / gained
        found.append(Filling(cache, each * max(0.0, cache.bound - cache.size)))
    largest = max(found, key=lambda one: one.still_to_come, default=None)
    if largest is None or (
        limit is not None and float(memory.value[-1]) + largest.still_to_come > limit.bytes
    ):
        return None
    return largest


def _is_long_full(cache: Cache, interval: float, settings: JudgeSettings) -> bool:
    """Whether growth had time to show that it goes on without the cache: `stop_ticks`, as where growth came to rest."""
    assert cache.bound is not None
    full = cache.entries.value >= settings.full_share * cache.bound
    if not full[-1]:
        return False
    filling = np.flatnonzero(~full)
    since = cache.entries.time[filling[-1] + 1] if filling.size else -np.inf
    return bool(cache.entries.time[-1] - since >= settings.stop_ticks * max(interval, 1e-3))


def _explains(
    cache: Cache, entries: Series, sites: Attribution | None, memory: Series, settings: JudgeSettings
) -> bool:
    """Of a cached function the code decides: whether most of what grows is allocated inside it."""
    if cache.is_function and cache.name and sites is not None and sites.sites:
        inside = (one.site.growth_share for one in sites.sites if _passes_through(one.site, cache))
        return sum(inside) >= settings.site_share
    # A deque keeps to its bound, and so does code that compares and takes out. Else a bound is an attribute with a
    # telling name: that may be chance.
    sure = cache.kind == "deque" or bool(cache.file)
    points = settings.census_points if sure else 2 * settings.census_points
    return in_step(entries, memory, points, settings)


def _passes_through(site: Site, cache: Cache) -> bool:
    # Before 3.11 a frame's name is not qualified.
    names = {cache.name, cache.name.rpartition(".")[2]}
    frames: Iterable[tuple[str, str, int]] = (
        (site.file, site.function, site.line),
        *((frame.file, frame.function, frame.line) for frame in site.stack),
    )
    return any(
        file == cache.file and line >= cache.line and function in names for file, function, line in frames
    )
