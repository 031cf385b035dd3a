"""Following objects: list, then watch, for as long as the caller reads.

`follow` guarantees: after `Listed` the reader knows everything that is there; each later change comes once, in order.
Connections that end, bookmarks, a forgotten resource version (410), silence (70 s, bookmarks come every 60) and an
API server that is away are its own business: it lists again where it must and waits ever longer, up to 30 s. A
missing right or any other refusal is given to `on_error` and tried again: rights may come later.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Literal

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import Expired, opened
from memwarden_kube.client import asking, watch_timeout
from memwarden_kube.errors import KubeError, Request, TooBusy, of_answer
from memwarden_kube.lists import pages
from memwarden_kube.objects import Object, Resource

__all__ = ["Alive", "Changed", "Followed", "Listed", "Listing", "follow"]

SILENCE_SECONDS: Final = 70.0
WATCH_SECONDS: Final = 300
LONGEST_WAIT: Final = 30.0
MAX_EVENT_BYTES: Final = 4 << 20  # an object has 1.5 MiB in etcd at most


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of what is there; the list is not over."""

    objects: list[Object]


@dataclass(frozen=True, slots=True)
class Listed:
    """The list is over: what was not in its pages is not there."""


@dataclass(frozen=True, slots=True)
class Changed:
    """ADDED, MODIFIED or DELETED since."""

    gone: bool
    object: Object


@dataclass(frozen=True, slots=True)
class Alive:
    """The connection stands; nothing changed."""


Followed = Listing | Listed | Changed | Alive


async def follow(
    client: ApiClient,
    resource: Resource,
    namespace: str = "",
    *,
    labels: str = "",
    page_size: int = 100,
    on_error: Callable[[KubeError], None] = lambda error: None,
) -> AsyncIterator[Followed]:
    """Never ends by itself."""
    version, failures = "", 0
    while True:
        try:
            if not version:
                listed = ""
                async for objects, listed in pages(  # noqa: B007 - the last page's counts
                    client, resource, namespace, labels=labels, size=page_size
                ):
                    yield Listing(objects)
                yield Listed()
                version = listed
            async for change, seen in _watched(client, resource, namespace, labels, version):
                version, failures = seen, 0
                yield change
            await asyncio.sleep(_backoff(0))  # a proxy may end each connection at once
        except Expired:
            version = ""
        except KubeError as error:
            on_error(error)
            failures += 1
            wait = error.retry_seconds if isinstance(error, TooBusy) else _backoff(failures)
            await asyncio.sleep(wait)


def _backoff(failures: int) -> float:
    longest = min(LONGEST_WAIT, 0.5 * 2.0 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads watchers, guards nothing


async def _watched(
    client: ApiClient, resource: Resource, namespace: str, labels: str, version: str
) -> AsyncIterator[tuple[Changed | Alive, str]]:
    """One connection until the API server ends it, with the version to go on from."""
    query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(int(WATCH_SECONDS * random.uniform(1, 1.5))),  # noqa: S311
    }
    query |= {"labelSelector": labels} if labels else {}
    request = Request("watch", resource.named(), namespace)
    async with opened(
        client, "GET", resource.path(namespace), request, query=query, patience=watch_timeout(SILENCE_SECONDS)
    ) as response:
        yield Alive(), version
        with asking("watch", resource.named(), namespace):
            buffer = bytearray()
            async for chunk in response.content.iter_any():
                buffer += chunk
                if len(buffer) > MAX_EVENT_BYTES and b"\n" not in chunk:
                    raise ValueError(f"an event of {resource.named()} has more than {MAX_EVENT_BYTES} bytes")
                *lines, rest = bytes(buffer).split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    if line.strip():
                        change = _read(line, request)
                        version = _version(change) or version
                        yield (Alive() if change["type"] == "BOOKMARK" else _changed(change)), version


def _read(line: bytes, request: Request) -> Object:
    event: Object = json.loads(line)
    if event["type"] == "ERROR":
        said = event.get("object") or {}
        if said.get("code") == 410:
            raise Expired(f"can't {request}: the API server has forgotten where it was; it is listed again")
        raise of_answer(request, int(said.get("code") or 500), json.dumps(said))
    return event


def _version(event: Object) -> str:
    found: str = ((event.get("object") or {}).get("metadata") or {}).get("resourceVersion", "")
    return found


def _changed(event: Object) -> Changed:
    kind: Literal["ADDED", "MODIFIED", "DELETED"] = event["type"]
    return Changed(gone=kind == "DELETED", object=event["object"])
