"""Remedies of one controller against a stand-in for API server and injector, which can be made to say anything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from controller_memory import Cluster as StandIn
from controller_memory import kubeconfig, started

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_kube.client import connect
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.observed import Collector, Observed, Scan
from memwarden_operator.controller.owners import Owned, Owners
from memwarden_operator.controller.profiles import Known
from memwarden_operator.controller.settings import Settings
from memwarden_operator.controller.world import World
from memwarden_operator.remediation.acting import Remedies
from memwarden_operator.remediation.decisions import Outcome, Remedied
from remediation.cases import NOW, WEB, case, profile

DEPLOYMENT = {
    "metadata": {"name": "web", "uid": "uid-web", "generation": 1},
    "spec": {"replicas": 3, "template": {}},
    "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3},
}


class Shop(StandIn):
    """A Deployment, a profile, and an injector, each as a test wants it."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.touched: list[tuple[str, str, Any]] = []
        self.deployment: dict[str, Any] = DEPLOYMENT
        self.there: list[MemoryProfile] = []
        self.says = 201
        self.injector = 200
        self.pods: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.refuses = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method in ("POST", "PATCH"):
            self.touched.append((request.method, request.path, await request.json()))
            return web.json_response({"message": "the words of the server"}, status=self.says)
        self.asked.append(request.path)
        if request.path == self.refuses:
            return web.json_response({"message": "the words of the server"}, status=403)
        if request.path == "/readyz":
            return web.Response(status=self.injector)
        if "/deployments/" in request.path:
            return web.json_response(self.deployment)
        if request.path == "/api/v1/namespaces/shop":
            return web.json_response({"metadata": {"labels": {names.INJECT: "true"}}})
        if "/pods/" in request.path:
            pod = self.pods.get(request.path.rpartition("/")[2])
            return web.json_response({"metadata": pod or {}}, status=200 if pod else 404)
        items = [one.to_cluster() for one in self.there]
        for item in items:
            item["metadata"]["creationTimestamp"] = "2026-11-22T10:00:00Z"
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})


class Controlled:
    """Remedies of one controller, and the profile that it knows."""

    def __init__(self, shop: Shop, cluster: Cluster, **settings: Any) -> None:
        self.shop = shop
        self.world = World(Owners(cluster.metadata), pods_listed=True)
        self.remedies = Remedies(self.world, cluster, Settings(remediation=True, **settings))
        self.given = case()
        self.scan: Scan | None = None

    def known(self, of: MemoryProfile) -> Known:
        found = Known(of, NOW, None)
        self.world.profiles.put(found)
        return found

    async def decide(self, of: MemoryProfile, at: datetime = NOW) -> tuple[MemoryProfile, Remedied]:
        """The profile with what was decided of it."""
        owned = Owned(WEB, self.given.reference)
        observed = Observed(
            of, self.given.pods, {pod.uid: owned for pod in self.given.pods}, self.given.verdicts, self.scan,
            Collector(True, NOW - timedelta(hours=1)), None,
        )  # fmt: skip
        said = await self.remedies.decide(self.known(of), observed, at)
        return of.model_copy(update={"status": said.put_into(of.status)}), said

    async def act(self, **rules: Any) -> list[Outcome]:
        """Decided, written, and done in the next round."""
        of, _ = await self.decide(profile(**rules))
        of, said = await self.decide(of)
        self.shop.there = [of]
        return await self.remedies.act(self.known(of), said.acts)


def with_controller(folder: Path, test: Callable[[Controlled], Awaitable[None]], **settings: Any) -> None:
    async def go() -> None:
        async with _controlled(folder, **settings) as controlled:
            await test(controlled)

    asyncio.run(go())


@asynccontextmanager
async def _controlled(folder: Path, **settings: Any) -> AsyncIterator[Controlled]:
    shop = Shop()
    runner, url = await started(shop)
    try:
        async with await connect(kubeconfig(folder, url)) as client:
            yield Controlled(shop, Cluster(client), **{"injector_url": f"{url}/readyz"} | settings)
    finally:
        await runner.cleanup()
