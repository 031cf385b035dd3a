"""Events on the owners of pods that are not injected: off the request's way, deduplicated, bounded in number and rate.

The pod itself has no uid yet, so nobody would find an event on it; where it has no owner it is named all the same.
"""

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from memwarden_api import names
from memwarden_operator.injector.api import Api, ApiError
from memwarden_operator.injector.ownership import owner_of
from memwarden_operator.injector.skips import Skip

_log = logging.getLogger(__name__)
WAITING: Final = 256
"""Events that wait; more are dropped and counted."""
AGAIN_SECONDS: Final = 600.0
"""The same of the same owner is told so often at most."""
REMEMBERED: Final = 2048
PAUSE_SECONDS: Final = 0.2
"""Between two: five a second do not disturb an API server."""
NOTE_LENGTH: Final = 1024


class Events:
    """`tell` from anywhere in the loop; `run` sends."""

    def __init__(self, api: Api, instance: str) -> None:
        self._api = api
        self._instance = instance
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING)
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.dropped = 0

    def tell(self, pod: Mapping[str, Any], skip: Skip) -> None:
        """Never waits and never raises."""
        event = _event(pod, skip, self._instance)
        key = (
            f"{event['metadata']['namespace']}/{event['regarding'].get('uid') or event['regarding']['name']}",
            skip.reason,
        )
        now = time.monotonic()
        if now - self._told.get(key, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1
            return
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    async def run(self) -> None:
        """Until cancelled. An event that can't be posted is dropped: the metric and the log have it."""
        while True:
            event = await self._waiting.get()
            namespace = event["metadata"]["namespace"]
            try:
                await self._api.create(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                self.dropped += 1
                _log.warning("can't post an event in %s: %s", namespace, error)
            await asyncio.sleep(PAUSE_SECONDS)


def _event(pod: Mapping[str, Any], skip: Skip, instance: str) -> dict[str, Any]:
    metadata = pod["metadata"]
    namespace = metadata.get("namespace") or "default"
    owner = owner_of(pod)
    if owner is None:
        name = metadata.get("name") or f"{metadata.get('generateName', 'pod-')}…"
        regarding = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": name}
    else:
        regarding = {
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "namespace": namespace,
            "name": owner.name,
            "uid": owner.uid,
        }
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": f"memwarden-{secrets.token_hex(8)}"},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning",
        "reason": names.EVENT_SKIPPED,
        "action": "Injecting",
        "note": f"{skip.reason}: {skip.message}"[:NOTE_LENGTH],
        "regarding": regarding,
        "reportingController": "memwarden.dev/injector",
        "reportingInstance": instance[:128],
    }
