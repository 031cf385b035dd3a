"""Caches and large containers out of a census: those that are worth a series each, the same ones as long as they last.

A program may have hundreds. Those that have grown most since they were first seen come first, then the largest.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

from memwarden_sidecar.settings import CENSUS_HOLDINGS

READ: Final = 128
"""Entries of an answer that are read, of each; a probe sends fewer."""
TEXT: Final = 256
"""Characters kept of a name."""
PATH: Final = 1024


class CacheSize(NamedTuple):
    """A cache at one census."""

    id: str
    kind: str
    name: str
    file: str
    line: int
    entries: int
    bound: int | None
    hits: int | None
    misses: int | None
    bound_bytes: int | None = None
    """What its entries may take, where the code says so."""
    bound_age: float | None = None
    """Seconds that an entry may be kept, where the code says so."""


class ContainerSize(NamedTuple):
    """A large container at one census."""

    id: str
    type: str
    name: str
    entries: int


Held = TypeVar("Held", CacheSize, ContainerSize)


class Growing:
    """Chooses between what one process holds; remembers how large each was at first, for as long as it is there."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}

    def choose(self, found: Iterable[Held]) -> tuple[Held, ...]:
        """At most CENSUS_HOLDINGS, those that have grown most first. To be called once a census."""
        held = {one.id: one for one in found}
        self._first = {one.id: self._first.get(one.id, one.entries) for one in held.values()}
        ranked = sorted(
            held.values(), key=lambda one: (self._first[one.id] - one.entries, -one.entries, one.id)
        )
        return tuple(ranked[:CENSUS_HOLDINGS])


def caches(answer: Mapping[str, object]) -> list[CacheSize]:
    """Those of an answer that make sense."""
    return _read(answer.get("caches"), _cache)


def containers(answer: Mapping[str, object]) -> list[ContainerSize]:
    """Those of an answer that make sense."""
    return _read(answer.get("containers"), _container)


def bounded(number: int) -> int:
    """Fits into OTLP's signed 64 bits."""
    return min(max(number, 0), 2**60)


def _read(entries: object, read: Callable[[Mapping[str, object]], Held | None]) -> list[Held]:
    listed = entries[:READ] if isinstance(entries, list) else []
    found = [read(entry) for entry in listed if isinstance(entry, dict)]
    return [one for one in found if one is not None]


def _cache(entry: Mapping[str, object]) -> CacheSize | None:
    identity, kind, entries = _text(entry, "id"), _text(entry, "kind"), _number(entry, "entries")
    if not identity or not kind or entries is None:
        return None
    return CacheSize(
        id=identity,
        kind=kind,
        name=_text(entry, "name"),
        file=_text(entry, "file", PATH),
        line=_number(entry, "line") or 0,
        entries=entries,
        bound=_number(entry, "bound"),
        hits=_number(entry, "hits"),
        misses=_number(entry, "misses"),
    )


def _container(entry: Mapping[str, object]) -> ContainerSize | None:
    identity, kind, entries = _text(entry, "id"), _text(entry, "type"), _number(entry, "entries")
    if not identity or not kind or entries is None:
        return None
    return ContainerSize(identity, kind, _text(entry, "name"), entries)


def _text(entry: Mapping[str, object], key: str, limit: int = TEXT) -> str:
    value = entry.get(key)
    return value[:limit] if isinstance(value, str) else ""


def _number(entry: Mapping[str, object], key: str) -> int | None:
    value = entry.get(key)
    return bounded(value) if type(value) is int else None
