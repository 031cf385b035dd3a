"""Stands for Kubernetes' API server, as far as the injector asks it: list, watch with bookmarks, events. Over HTTP.

The proof against the real one is in e2e/kubernetes; here it can be away, forget, and refuse at will.
"""

import asyncio
import json
import threading
from contextlib import suppress
from typing import Any

from aiohttp import web

PROFILES = "/apis/memwarden.dev/v1alpha1/memoryprofiles"


class ApiServer:
    """Use it with `with`. `refuse`: the status that every request is answered with; 0: none is."""

    def __init__(self) -> None:
        self.refuse = 0
        self.events: list[dict[str, Any]] = []
        self.lists = 0
        self._version = 100
        self._oldest = 0
        self._profiles: dict[tuple[str, str], dict[str, Any]] = {}
        self._log: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "ApiServer":
        self._thread.start()
        assert self._started.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def put(self, name: str, namespace: str = "shop", **spec: Any) -> None:
        kind = "MODIFIED" if (namespace, name) in self._profiles else "ADDED"
        document = {"metadata": {"namespace": namespace, "name": name}, "spec": spec}
        self._profiles[namespace, name] = document
        self._note(kind, document)

    def delete(self, name: str, namespace: str = "shop") -> None:
        self._note("DELETED", self._profiles.pop((namespace, name)))

    def forget(self) -> None:
        """The history before now is gone: who watches from before is answered with 410, by an event and by a status."""
        self._note("ERROR", {"code": 410, "message": "too old resource version", "metadata": {}})
        self._oldest = self._version

    def _note(self, kind: str, document: dict[str, Any]) -> None:
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)
        self._log.append({"type": kind, "object": json.loads(json.dumps(document)), "version": self._version})
        self._loop.call_soon_threadsafe(self._changed.set)

    # ── In its thread ────────────────────────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_get("/{path:.*}", self._get)
        app.router.add_post("/{path:.*}", self._post)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.json_response({"message": "no"}, status=self.refuse)
        if request.query.get("watch"):
            with suppress(ConnectionError):  # who watched has gone
                return await self._watch(request)
            return web.Response()
        self.lists += 1
        items = list(self._profiles.values()) if request.path == PROFILES else []
        # In pages of one, so that going on from one page to the next is always tested.
        start = int(request.query.get("continue", "0"))
        more = {"continue": str(start + 1)} if start + 1 < len(items) else {}
        metadata = {"resourceVersion": str(self._version), **more}
        return web.json_response({"metadata": metadata, "items": items[start : start + 1]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        version = int(request.query["resourceVersion"])
        if version < self._oldest:
            return web.json_response({"message": "too old"}, status=410)
        stream = web.StreamResponse()
        await stream.prepare(request)
        while not self._stop.is_set() and not self.refuse:
            if request.path == PROFILES:
                for entry in self._log:
                    if entry["version"] > version:
                        version = entry["version"]
                        await stream.write(
                            json.dumps({"type": entry["type"], "object": entry["object"]}).encode() + b"\n"
                        )
            bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}
            await stream.write(json.dumps(bookmark).encode() + b"\n")
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 0.2)
            except TimeoutError:
                continue
        return stream

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.json_response({"message": "no"}, status=self.refuse)
        self.events.append(await request.json())
        return web.json_response({}, status=201)
