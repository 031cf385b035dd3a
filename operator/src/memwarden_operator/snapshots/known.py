"""HeapSnapshots as they were told last."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memwarden_api.v1alpha1.heap_snapshot import LAST_PHASES, HeapSnapshot
from memwarden_operator.controller.moments import moment
from memwarden_operator.controller.reading import understood

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class KnownSnapshot:
    """One of them; `stalled` says what can't be read of its spec."""

    snapshot: HeapSnapshot
    created_at: datetime
    stalled: str = ""

    @property
    def key(self) -> Key:
        return self.snapshot.metadata.namespace, self.snapshot.metadata.name

    @property
    def uid(self) -> str:
        """What its evidence is called in the collector."""
        return self.snapshot.metadata.uid

    @property
    def is_over(self) -> bool:
        return self.snapshot.status.phase in LAST_PHASES


def read(given: Mapping[str, Any]) -> KnownSnapshot:
    """An object of the API server."""
    snapshot, stalled = understood(HeapSnapshot.from_cluster, given, {"pod": "unreadable"})
    return KnownSnapshot(snapshot, moment(given["metadata"]["creationTimestamp"]), stalled)


class Snapshots:
    """By namespace and name."""

    def __init__(self) -> None:
        self._known: dict[Key, KnownSnapshot] = {}

    def put(self, known: KnownSnapshot) -> KnownSnapshot | None:
        """Gives what was known of it before."""
        before = self._known.get(known.key)
        self._known[known.key] = known
        return before

    def remove(self, key: Key) -> KnownSnapshot | None:
        return self._known.pop(key, None)

    def get(self, key: Key) -> KnownSnapshot | None:
        return self._known.get(key)

    def generations(self) -> dict[Key, int]:
        return {key: one.snapshot.metadata.generation for key, one in self._known.items()}

    def __iter__(self) -> Iterator[KnownSnapshot]:
        return iter([self._known[key] for key in sorted(self._known)])
