"""Events of events.k8s.io on objects of others.

An event's name follows from what it says of whom: saying it again, also after a restart, finds the one that is there
and counts it up. The API server forgets events after an hour by itself.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import call
from memwarden_kube.errors import Conflict, NotFound, Request
from memwarden_kube.lists import get
from memwarden_kube.objects import EVENTS, Object

__all__ = ["Regarding", "Told", "post"]

_NOTE: Final = 1024  # bytes that the API server takes
_MERGE: Final = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object that an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of it. `distinct` tells apart what is said twice with the same reason: a container, a leak's id."""

    regarding: Regarding
    reason: str
    note: str
    type: Literal["Normal", "Warning"] = "Warning"
    action: str = "Watch"
    distinct: str = ""

    @property
    def name(self) -> str:
        said = "\0".join((self.regarding.kind, self.regarding.uid, self.reason, self.distinct))
        digest = hashlib.sha256(said.encode()).hexdigest()[:16]
        return f"{self.regarding.name[:200].rstrip('.-')}.{digest}"


async def post(client: ApiClient, told: Told, controller: str, instance: str, now: datetime) -> None:
    """Make the event, or count it up where it has been told before."""
    namespace = told.regarding.namespace or "default"
    request = Request("create", EVENTS.named(), namespace, told.name)
    try:
        event = _event(told, controller, instance, now)
        await call(client, "POST", EVENTS.path(namespace), request, body=event)
    except Conflict:
        await _count_up(client, told, namespace, now)


async def _count_up(client: ApiClient, told: Told, namespace: str, now: datetime) -> None:
    try:
        there = await get(client, EVENTS, namespace, told.name)
        count = int((there.get("series") or {}).get("count", 1)) + 1
        request = Request("patch", EVENTS.named(), namespace, told.name)
        series = {"count": count, "lastObservedTime": _micro(now)}
        await call(
            client,
            "PATCH",
            EVENTS.path(namespace, told.name),
            request,
            body={"series": series},  # the note can't be changed any more
            content_type=_MERGE,
        )
    except NotFound:
        return  # forgotten between the two: it was told, and is told again with the next change


def _event(told: Told, controller: str, instance: str, now: datetime) -> Object:
    about = told.regarding
    regarding = {"apiVersion": about.api_version, "kind": about.kind, "name": about.name}
    regarding |= {"namespace": about.namespace} if about.namespace else {}
    regarding |= {"uid": about.uid} if about.uid else {}
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": told.name, "namespace": about.namespace or "default"},
        "eventTime": _micro(now),
        "reportingController": controller,
        "reportingInstance": instance[:128],
        "action": told.action,
        "reason": told.reason,
        "regarding": regarding,
        "note": _cut(told.note),
        "type": told.type,
    }


def _micro(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _cut(note: str) -> str:
    encoded = note.encode()
    return note if len(encoded) <= _NOTE else encoded[: _NOTE - 4].decode(errors="ignore") + "…"
