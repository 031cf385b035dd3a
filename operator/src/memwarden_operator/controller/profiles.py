"""MemoryProfiles as the watch said them last, read with what this version knows."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_api.v1alpha1.profile import Metadata
from memwarden_operator.controller.moments import moment
from memwarden_operator.controller.reading import metadata

_log = logging.getLogger(__name__)
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Known:
    """One profile; `stalled` where its spec can't be read."""

    profile: MemoryProfile
    created_at: datetime
    stalled: tuple[str, str] | None

    @property
    def key(self) -> Key:
        return self.profile.metadata.namespace, self.profile.metadata.name


def read(given: Mapping[str, Any]) -> Known:
    """An object of the API server. A spec that this version can't read stalls the profile; a status is made anew."""
    about = dict(given["metadata"])
    created = moment(about["creationTimestamp"])
    status = dict(given.get("status") or {})
    whole = {"metadata": metadata(about), "spec": dict(given.get("spec") or {}), "status": status}
    try:
        return Known(MemoryProfile.from_cluster(whole), created, None)
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["loc"] and one["loc"][0] != "status"]
    if not wrong:
        _log.warning("status of memoryprofile %s/%s can't be read; it is written anew", *_named(about))
        return Known(MemoryProfile.from_cluster(whole | {"status": {}}), created, None)
    where = ".".join(str(part) for part in wrong[0]["loc"])
    stalled = (
        names.REASON_SPEC_NOT_READABLE,
        f"{where}: {wrong[0]['msg']}; change the field, or update Memwarden where a newer version made it",
    )
    return Known(_without_spec(whole), created, stalled)


def _named(about: Mapping[str, Any]) -> tuple[str, str]:
    return about.get("namespace", ""), about.get("name", "")


def _without_spec(whole: dict[str, Any]) -> MemoryProfile:
    try:
        return MemoryProfile.from_cluster(whole | {"spec": {}})
    except ValidationError:
        return MemoryProfile(metadata=Metadata.from_cluster(whole["metadata"]))


class Profiles:
    """By namespace and name."""

    def __init__(self) -> None:
        self._known: dict[Key, Known] = {}

    def put(self, known: Known) -> None:
        self._known[known.key] = known

    def remove(self, key: Key) -> bool:
        return self._known.pop(key, None) is not None

    def get(self, key: Key) -> Known | None:
        return self._known.get(key)

    def generations(self) -> dict[Key, int]:
        return {key: known.profile.metadata.generation for key, known in self._known.items()}

    def in_namespace(self, namespace: str) -> list[Known]:
        """By name."""
        return [self._known[key] for key in sorted(self._known) if key[0] == namespace]

    def namespaces(self) -> list[str]:
        return sorted({namespace for namespace, _ in self._known})

    def __iter__(self) -> Iterator[Known]:
        return iter(list(self._known.values()))

    def __len__(self) -> int:
        return len(self._known)
