"""A cache whose bound is known and that is not full yet: is it what grows?

Growth into it ends by itself, so it is no leak. It must be shown that memory grows into this one: by the code that
allocates what grows (the cached function), or by a number of entries that rises in step with the memory. What the
cache will hold when it is full must fit below the limit; else it doesn't matter that it has a bound. A bound is one of
entries, of bytes or of an entry's age.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from memwarden_core.attribution import Attribution
from memwarden_core.companions import in_step, seen_since
from memwarden_core.containers import Cache, Container, caches
from memwarden_core.growth import Growth
from memwarden_core.recording import Recording, Series
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Site
from memwarden_core.wording import amount, duration


@dataclass(frozen=True, slots=True)
class Filling:
    """A cache that fills, and the memory with it."""

    cache: Cache
    still_to_come: float
    """Bytes until it is full, at what an entry takes now."""
    share: float
    """Of its bound that is met, 0 to 1."""
    holds: str
    """How much it holds of what it may, for a person."""

    @property
    def name(self) -> str:
        """As a person would point at it."""
        return self.cache.name or f"a {self.cache.kind}"


def filling(
    recording: Recording,
    growth: Growth,
    sites: Attribution | None,
    memory: Series,
    large: Iterable[Container],
    settings: JudgeSettings,
) -> Filling | None:
    """The cache that this growth goes into, the largest to come first; None where none explains it. `large`: the
    containers by then."""
    found, limit = [], recording.limit
    known = caches(recording, float(memory.time[-1]))
    newest = _newest_censuses((*known, *large))
    for cache in known:
        if cache.entries.time[-1] < newest[cache.process] - max(recording.interval, 1e-3):
            continue  # it is gone, and what grows now goes elsewhere
        entries = seen_since(cache.entries, growth.since, recording.interval)
        gained = float(entries.value[-1] - entries.value[0]) if entries.value.size > 1 else 0.0
        if gained <= 0 or not _explains(cache, entries, sites, memory, settings):
            continue
        each = growth.trend.slope * float(entries.time[-1] - entries.time[0]) / gained
        into = _of_bound(cache, each, growth, memory, recording.interval, settings)
        if into is not None:
            found.append(into)
    largest = max(found, key=lambda one: one.still_to_come, default=None)
    if largest is None or (
        limit is not None and float(memory.value[-1]) + largest.still_to_come > limit.bytes
    ):
        return None
    return largest


def _newest_censuses(seen: Iterable[Cache | Container]) -> dict[int, float]:
    """When each process was last asked what it holds."""
    newest: dict[int, float] = {}
    for one in seen:
        newest[one.process] = max(newest.get(one.process, 0.0), float(one.entries.time[-1]))
    return newest


def _of_bound(
    cache: Cache, each: float, growth: Growth, memory: Series, interval: float, settings: JudgeSettings
) -> Filling | None:
    """How far it is from its bound; None where it has none, or was full for long. `each`: bytes an entry takes."""
    now, patience = float(memory.time[-1]), settings.stop_ticks * max(interval, 1e-3)
    if cache.bound_age:
        age = now - growth.since
        if age >= cache.bound_age + patience:
            return None
        ahead = growth.trend.slope * max(0.0, cache.bound_age - age)
        text = f"which keeps its entries for {duration(cache.bound_age)}"
        return Filling(cache, ahead, min(1.0, age / cache.bound_age), text)
    # What code counts as an entry's bytes is less than what Python needs for it.
    bytes_bound = (
        None if cache.bound_bytes is None else settings.bytes_room * cache.bound_bytes / max(each, 1.0)
    )
    bound = cache.bound if cache.bound is not None else bytes_bound
    if not bound or _is_long_full(cache.entries, bound, patience, settings):
        return None
    text = (
        f"which holds {cache.size:.0f} of at most {bound:.0f} entries"
        if cache.bound_bytes is None
        else f"which holds {cache.size:.0f} entries of at most {amount(cache.bound_bytes)}"
    )
    return Filling(cache, each * max(0.0, bound - cache.size), min(1.0, cache.size / bound), text)


def _is_long_full(entries: Series, bound: float, patience: float, settings: JudgeSettings) -> bool:
    """Whether growth had time to show that it goes on without the cache: `stop_ticks`, as where growth came to rest."""
    full = entries.value >= settings.full_share * bound
    if not full[-1]:
        return False
    filling = np.flatnonzero(~full)
    since = entries.time[filling[-1] + 1] if filling.size else -np.inf
    return bool(entries.time[-1] - since >= patience)


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
