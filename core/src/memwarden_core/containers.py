"""Caches and large containers that the probe's census found, each with its number of entries over time.

They are read out of a recording's series, so a kept file of an older release simply has none. A cache has a bound
that it keeps to by itself, or says that it has none; of a container nothing but its length is known. One thing is
known again by its id: its name may be found at one census and not at the next, and the series of both are one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from memwarden_core.recording import Recording, Series, SeriesKey
from memwarden_core.signals import (
    CACHE_BOUND,
    CACHE_BOUND_AGE,
    CACHE_BOUND_BYTES,
    CACHE_ENTRIES,
    CACHE_HITS,
    CACHE_ID,
    CACHE_KIND,
    CACHE_MISSES,
    CACHE_NAME,
    CODE_FILE,
    CODE_LINE,
    CONTAINER_ENTRIES,
    CONTAINER_ID,
    CONTAINER_NAME,
    CONTAINER_TYPE,
    EMPTY,
    clean,
)


@dataclass(frozen=True, slots=True)
class Cache:
    """Something that gives up old entries for new ones: functools.lru_cache, a deque with maxlen, a cache class."""

    process: int
    """Index into `Recording.processes`."""
    id: str
    kind: str
    """"lru_cache", "deque", or the name of a class that keeps to a bound of its own, or is kept to one by the code."""
    name: str
    """The cached function's qualified name, else the variable that holds it; "" where neither is known."""
    file: str
    """Of the cached function, or of the code that keeps to the bound; "" where neither is known."""
    line: int
    """First line of the cached function, or the line that compares with the bound; 0 where neither is known."""
    bound: float | None
    """Entries at most, as of the last census; None: it has none."""
    bound_bytes: float | None
    """Bytes that its entries may take, as the code counts them; None: it has no such bound."""
    bound_age: float | None
    """Seconds that an entry may be kept; None: it has no such bound."""
    entries: Series
    hits: Series
    """As it counts itself since it was last cleared; empty where it doesn't count."""
    misses: Series

    @property
    def size(self) -> float:
        """Entries at the last census."""
        return float(self.entries.value[-1])

    @property
    def growth(self) -> float:
        """Entries more than when it was first seen."""
        return self.size - float(self.entries.value[0])

    @property
    def is_function(self) -> bool:
        """Whether `file` and `line` are those of a cached function."""
        return self.kind == "lru_cache" and bool(self.file)

    @property
    def is_full(self) -> bool:
        return self.bound is not None and self.size >= self.bound

    @property
    def hit_rate(self) -> float | None:
        """Share of the look-ups that found something, 0 to 1; None where none was made or none is counted."""
        if not self.hits.value.size or not self.misses.value.size:
            return None
        hits, misses = float(self.hits.value[-1]), float(self.misses.value[-1])
        return hits / (hits + misses) if hits + misses > 0 else None


@dataclass(frozen=True, slots=True)
class Container:
    """One large list, dict, set or deque, or one of a class made from them."""

    process: int
    """Index into `Recording.processes`."""
    id: str
    type: str
    name: str
    """The variable or attribute that holds it, "" where it was not found."""
    entries: Series

    @property
    def size(self) -> float:
        """Entries at the last census."""
        return float(self.entries.value[-1])

    @property
    def growth(self) -> float:
        """Entries more than when it was first seen."""
        return self.size - float(self.entries.value[0])


def caches(recording: Recording, until: float | None = None) -> tuple[Cache, ...]:
    """The caches of all processes as they were known at `until` (Unix seconds, default: the end)."""
    metrics = (CACHE_ENTRIES, CACHE_BOUND, CACHE_BOUND_BYTES, CACHE_BOUND_AGE, CACHE_HITS, CACHE_MISSES)
    found = []
    for (process, identity), thing in _things(recording, metrics, CACHE_ID, until).items():
        entries = thing.series.get(CACHE_ENTRIES, EMPTY)
        if not entries.time.size:
            continue
        line = thing.labels.get(CODE_LINE, "")
        found.append(
            Cache(
                process=process,
                id=identity,
                kind=thing.labels.get(CACHE_KIND, ""),
                name=thing.labels.get(CACHE_NAME, ""),
                file=thing.labels.get(CODE_FILE, ""),
                line=int(line) if re.fullmatch("[0-9]{1,9}", line) else 0,
                bound=thing.known(CACHE_BOUND),
                bound_bytes=thing.known(CACHE_BOUND_BYTES),
                bound_age=thing.known(CACHE_BOUND_AGE),
                entries=entries,
                hits=thing.series.get(CACHE_HITS, EMPTY),
                misses=thing.series.get(CACHE_MISSES, EMPTY),
            )
        )
    return tuple(found)


def containers(recording: Recording, until: float | None = None) -> tuple[Container, ...]:
    """The large containers of all processes as they were known at `until` (Unix seconds, default: the end)."""
    return tuple(
        Container(
            process=process,
            id=identity,
            type=thing.labels.get(CONTAINER_TYPE, ""),
            name=thing.labels.get(CONTAINER_NAME, ""),
            entries=thing.series[CONTAINER_ENTRIES],
        )
        for (process, identity), thing in _things(
            recording, (CONTAINER_ENTRIES,), CONTAINER_ID, until
        ).items()
    )


_LABELS = (
    CACHE_ID, CACHE_KIND, CACHE_NAME, CODE_FILE, CODE_LINE, CONTAINER_ID, CONTAINER_NAME, CONTAINER_TYPE,
)  # fmt: skip
_LABEL = re.compile(f"(?:^|,)({'|'.join(re.escape(name) for name in _LABELS)})=")


def _labels(attribute: str) -> dict[str, str]:
    """Out of `key=value,key=value`. A value may hold a comma or an equals sign, but none of our keys."""
    parts = _LABEL.split(attribute)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@dataclass(slots=True)
class _Thing:
    labels: dict[str, str]
    series: dict[str, Series]

    def known(self, metric: str) -> float | None:
        """As of the last census; None where that did not tell."""
        found, entries = self.series.get(metric, EMPTY), self.series.get(CACHE_ENTRIES, EMPTY)
        is_known = found.time.size and entries.time.size and found.time[-1] >= entries.time[-1]
        return float(found.value[-1]) if is_known else None


def _things(
    recording: Recording, metrics: Iterable[str], id_label: str, until: float | None
) -> dict[tuple[int, str], _Thing]:
    """By process and id, in the order of the recording; every thing has a series that is not empty."""
    end = recording.ended if until is None else until
    parts: dict[tuple[int, str], list[tuple[SeriesKey, dict[str, str], Series]]] = {}
    for key, series in recording.series.items():
        if key.metric not in metrics or key.process is None or key.process >= len(recording.processes):
            continue
        labels = _labels(key.attribute)
        cleaned = clean(series, end)
        if cleaned.time.size and labels.get(id_label):
            parts.setdefault((key.process, labels[id_label]), []).append((key, labels, cleaned))
    things = {}
    for identity, found in parts.items():
        thing = things[identity] = _Thing({}, {})
        for key, labels, series in sorted(found, key=lambda part: float(part[2].time[-1])):
            thing.labels |= {name: value for name, value in labels.items() if value}
            before = thing.series.get(key.metric)
            thing.series[key.metric] = series if before is None else _joined(before, series)
    return things


def _joined(first: Series, second: Series) -> Series:
    time = np.concatenate((first.time, second.time))
    value = np.concatenate((first.value, second.value))
    order = np.argsort(time, kind="stable")
    kept = np.append(np.diff(time[order]) > 0, True)
    return Series(time[order][kept], value[order][kept])
