"""Censuses: objects by type, caches, large containers; asked for on a schedule, matched to their answers by id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from memwarden_sidecar.probes.holdings import CacheSize, ContainerSize, Growing, bounded, caches, containers
from memwarden_sidecar.schedule import FIRST_CENSUS_SECONDS
from memwarden_sidecar.settings import CENSUS_ANSWER_SECONDS, CENSUS_TYPES

NAME: Final = 256
"""Characters kept of a type's name."""


class TypeCount(NamedTuple):
    """Live objects of one type. `size` is shallow, in bytes."""

    name: str
    objects: int
    size: int


class Census(NamedTuple):
    """One answer."""

    types: tuple[TypeCount, ...]
    caches: tuple[CacheSize, ...]
    containers: tuple[ContainerSize, ...]


@dataclass(slots=True)
class CensusSchedule:
    """When to ask one process, and what of its answers is followed. Times are those of the elapsed clock, in
    seconds."""

    next_due: float
    interval: float
    _asked: int | None = None
    _asked_at: float = 0.0
    _number: int = 100
    answers: int = 0
    """Censuses that came."""
    _caches: Growing = field(default_factory=Growing)
    _containers: Growing = field(default_factory=Growing)

    @classmethod
    def starting(cls, now: float, interval: float) -> "CensusSchedule":
        return cls(now + FIRST_CENSUS_SECONDS, interval)

    def question(self, now: float) -> bytes | None:
        """The request to send now; None when it is not time, or an answer is still awaited."""
        if self._asked is not None and now - self._asked_at > CENSUS_ANSWER_SECONDS:
            self._asked = None
        if self._asked is not None or now < self.next_due:
            return None
        self._number += 1
        self._asked, self._asked_at = self._number, now
        self.next_due = now + self.interval
        return b'{"jsonrpc":"2.0","id":%d,"method":"census","params":{"top":%d}}\n' % (
            self._number,
            CENSUS_TYPES,
        )

    def accept(self, message: Mapping[str, object]) -> Census | None:
        """What an answer says that was awaited; None for anything else, errors included."""
        if self._asked is None or message.get("id") != self._asked:
            return None
        self._asked = None
        result = message.get("result")
        types = result.get("types") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(types, list):
            return None
        self.answers += 1
        return Census(
            types=tuple(_counts(types)),
            caches=self._caches.choose(caches(result)),
            containers=self._containers.choose(containers(result)),
        )


def _counts(types: list[object]) -> list[TypeCount]:
    merged: dict[str, TypeCount] = {}  # two classes may have one name: one series
    for entry in types[:CENSUS_TYPES]:
        if not isinstance(entry, dict):
            continue
        name, count, size = entry.get("name"), entry.get("count"), entry.get("bytes")
        if isinstance(name, str) and name and isinstance(count, int) and isinstance(size, int):
            name = name[:NAME]
            before = merged.get(name, TypeCount(name, 0, 0))
            merged[name] = TypeCount(name, before.objects + bounded(count), before.size + bounded(size))
    return list(merged.values())
