"""A copy of all objects of a kind, kept by list and watch.

List page by page, then watch from there; bookmarks move the place on; 410 (too old) and whatever is not understood lead
to a new list; between attempts it waits longer each time. While the API server is away the copy stays as it was:
profiles change rarely, and an old one is better than none. `is_synced` is true from the first whole list on.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import aiohttp

from memwarden_operator.injector.api import Api, ApiError, message_of

_log = logging.getLogger(__name__)
PAGE: Final = 500
WATCH_SECONDS: Final = 290
"""Asked of the API server, which ends the watch then."""
SILENCE_SECONDS: Final = 300.0
"""The API server sends a bookmark every minute; a connection that says nothing for so long is dead."""
BACKOFF_FIRST_SECONDS: Final = 0.5
BACKOFF_LAST_SECONDS: Final = 30.0
LASTING_SECONDS: Final = 10.0
"""A watch that held for so long was a good one: the next failure is a first one."""
LINE_BYTES: Final = 4 << 20
"""Longest event: an object of etcd has 1.5 MiB at most."""
GONE: Final = 410

Key = tuple[str, str]
"""(namespace, name)"""
Failures = (ApiError, aiohttp.ClientError, TimeoutError, OSError, ValueError)


T = TypeVar("T")


class Watch(Generic[T]):
    """`path`: of the kind in all namespaces. `read` makes of an object what is kept; ValueError, KeyError or TypeError
    from it leaves the object out and is told once for each version of it."""

    def __init__(self, api: Api, path: str, read: Callable[[Mapping[str, Any]], T]) -> None:
        self.path = path
        self._api = api
        self._read = read
        self._kept: dict[str, dict[str, T]] = {}
        self._version = ""
        self._last_word: float | None = None
        self.is_synced = False
        self.problem = "it has not been listed yet"
        """Why it is not up to date, in words; "" while it is."""

    def of_namespace(self, namespace: str) -> tuple[T, ...]:
        return tuple(self._kept.get(namespace, {}).values())

    def __len__(self) -> int:
        return sum(len(kept) for kept in self._kept.values())

    def age_seconds(self) -> float:
        """Since the API server last said anything of it."""
        return float("inf") if self._last_word is None else time.monotonic() - self._last_word

    async def run(self) -> None:
        """Until cancelled."""
        backoff = BACKOFF_FIRST_SECONDS
        while True:
            started = time.monotonic()
            try:
                if not self._version:
                    await self._list()
                await self._follow()
            except Failures as error:
                self._note(error)
            # A watch that ends at once, well or not, must not become a loop without a pause.
            if time.monotonic() - started > LASTING_SECONDS:
                backoff = BACKOFF_FIRST_SECONDS
            await asyncio.sleep(backoff * random.uniform(0.5, 1))  # noqa: S311 - spreads replicas, no secret
            backoff = min(2 * backoff, BACKOFF_LAST_SECONDS)

    def _note(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if problem != self.problem:
            _log.warning("can't follow %s: %s; trying again", self.path, problem)
        self.problem = problem
        # Whatever was wrong, a whole list puts it right.
        if not isinstance(error, aiohttp.ClientError | TimeoutError):
            self._version = ""

    async def _list(self) -> None:
        found: dict[str, dict[str, T]] = {}
        parameters, version = {"limit": str(PAGE)}, ""
        while True:
            page = await self._api.get(self.path, parameters)
            for document in page.get("items") or ():
                self._put(found, document)
            metadata = page.get("metadata") or {}
            version = version or str(metadata.get("resourceVersion") or "")
            if not metadata.get("continue"):
                break
            parameters = {"limit": str(PAGE), "continue": metadata["continue"]}
        self._kept, self._version, self.is_synced = found, version, True
        self._heard()

    async def _follow(self) -> None:
        parameters = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async with self._api.watch(self.path, parameters, SILENCE_SECONDS) as answer:
            if answer.status >= 300:
                raise ApiError("watch", self.path, answer.status, message_of(await answer.text()))
            self._heard()
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LINE_BYTES:
                    raise ValueError(f"an event has more than {LINE_BYTES} bytes")
                for line in lines:
                    if line.strip():
                        self._take(json.loads(line))

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, document = event["type"], event["object"]
        if kind == "ERROR":
            raise ApiError("watch", self.path, int(document.get("code", 0)), str(document.get("message", "")))
        if kind == "DELETED":
            metadata = document["metadata"]
            kept = self._kept.get(metadata.get("namespace", ""), {})
            kept.pop(metadata["name"], None)
            if not kept:
                self._kept.pop(metadata.get("namespace", ""), None)
        elif kind in ("ADDED", "MODIFIED"):
            self._put(self._kept, document)
        self._version = str(document["metadata"]["resourceVersion"])
        self._heard()

    def _put(self, kept: dict[str, dict[str, T]], document: Mapping[str, Any]) -> None:
        metadata = document["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        try:
            kept.setdefault(namespace, {})[name] = self._read(document)
        except (ValueError, KeyError, TypeError) as error:
            _log.warning(
                "%s %s/%s is left out, since it can't be read: %r", self.path, namespace, name, error
            )
            kept.get(namespace, {}).pop(name, None)

    def _heard(self) -> None:
        self._last_word = time.monotonic()
        self.problem = ""
