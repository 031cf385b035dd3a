"""HeapSnapshots from their making to their end: the real collector, and a stand-in for the API server.

The real API server, a controller that is killed, and remediation are in e2e/kubernetes/test_evidence.py.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from controller_memory import Cluster as StandIn
from controller_memory import kubeconfig, started
from remediation.cases import pod

from memwarden_api import names
from memwarden_kube.client import connect
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.collector import CollectorDoor
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.owners import Owners
from memwarden_operator.controller.settings import Settings
from memwarden_operator.controller.world import World
from memwarden_operator.snapshots.loop import SnapshotLoop
from memwarden_operator.snapshots.orphans import GRACE, LOOK_EVERY, Orphans

sys.path.insert(0, str(Path(__file__).parents[3] / "collector" / "tests"))

from collector_processes import Collector, Server
from reporting_pod import Pod

EVERYWHERE = "/apis/memwarden.dev/v1alpha1/heapsnapshots"
HEAPSNAPSHOTS = "/apis/memwarden.dev/v1alpha1/namespaces/shop/heapsnapshots"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    server = Server(tmp_path_factory.mktemp("mws"))
    server.start()
    running = Collector(tmp_path_factory.mktemp("collector"), server.url())
    yield running
    running.kill()
    server.stop()


class Shop(StandIn):
    """HeapSnapshots, and a pod that nobody injected."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.there: dict[str, dict[str, Any]] = {}
        self.refuses = 0
        self.cluster = f"cluster-{uuid4()}"

    def make(self, name: str, generation: int = 1, **spec: Any) -> dict[str, Any]:
        about = {"name": name, "namespace": "shop", "uid": str(uuid4()), "resourceVersion": "1"}
        about |= {"creationTimestamp": NOW.isoformat(), "generation": generation}
        self.there[name] = {"metadata": about, "spec": spec, "status": {}}
        return self.there[name]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        where, _, name = request.path.removesuffix("/status").rpartition("/")
        if "heapsnapshots" in request.path and self.refuses:
            return web.json_response({"message": "no"}, status=self.refuses)
        if request.path == EVERYWHERE:
            return web.json_response({"metadata": {}, "items": list(self.there.values())})
        if request.path == "/api/v1/namespaces/kube-system":
            if not self.cluster:
                return web.json_response({"message": "no"}, status=403)
            return web.json_response({"metadata": {"name": "kube-system", "uid": self.cluster}})
        if where == HEAPSNAPSHOTS and name in self.there:
            if request.method == "DELETE":
                del self.there[name]
                return web.json_response({})
            body = await request.json()
            assert body["metadata"]["resourceVersion"] == self.there[name]["metadata"]["resourceVersion"]
            self.there[name]["status"] = body["status"]
            about = self.there[name]["metadata"]
            about["resourceVersion"] = str(int(about["resourceVersion"]) + 1)
            return web.json_response(self.there[name])
        if request.path.endswith("/pods/bare"):
            return web.json_response({"metadata": {"name": "bare"}})
        return web.json_response({"message": "there is none"}, status=404)


@dataclass
class Controlled:
    """The loop, the world that it knows, and a clock."""

    shop: Shop
    world: World
    loop: SnapshotLoop
    over: list[str]
    now: datetime

    async def round(self, *names_: str) -> list[dict[str, Any]]:
        """One, after which the statuses of these are told."""
        await self.loop._round()
        return [self.shop.there[name]["status"] for name in names_]

    async def said(self, name: str, reason: str) -> dict[str, Any]:
        """The status, once it says so; the loop runs by itself."""
        async with asyncio.timeout(60):
            while self.shop.there[name]["status"]["reason"] != reason:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        status: dict[str, Any] = self.shop.there[name]["status"]
        return status

    async def begun(self, name: str, **spec: Any) -> dict[str, Any]:
        self.loop.put(self.shop.make(name, **spec))
        [status] = await self.round(name)
        return status


def with_loop(folder: Path, url: str, test: Callable[[Controlled], Awaitable[None]]) -> None:
    async def go() -> None:
        shop = Shop()
        runner, api = await started(shop)
        try:
            async with (
                await connect(kubeconfig(folder, api)) as client,
                CollectorDoor(Settings(collector_url=url)) as door,
            ):
                cluster = Cluster(client)
                world = World(Owners(cluster.metadata), pods_listed=True)
                over: list[str] = []
                controlled: Controlled

                def now() -> datetime:
                    return controlled.now

                orphans = Orphans(cluster, door, (), now)
                loop = SnapshotLoop(world, cluster, door, Heart(), over.append, now, orphans)
                controlled = Controlled(shop, world, loop, over, NOW)
                await test(controlled)
        finally:
            await runner.cleanup()

    asyncio.run(go())


def test_from_a_pod_to_a_recording_and_to_its_end(tmp_path: Path, collector: Collector) -> None:
    told = Pod(collector.client, "web-1")
    told.tick()
    told.profile()

    async def test(controlled: Controlled) -> None:
        controlled.world.pods.put(replace(pod("web-1"), uid=told.uid))
        chosen = await controlled.begun("one", pod="web-1", ttl="10m")
        assert (chosen["phase"], chosen["podUid"], chosen["container"]) == ("Capturing", told.uid, "app")
        assert told.commands() == [], "nothing is asked for before the choice is written"
        # Another controller goes on: all that it knows is what the API server tells it.
        controlled.world.snapshots.remove(("shop", "one"))
        controlled.loop.put(controlled.shop.there["one"])
        await controlled.round()
        told.obey()
        [done] = await controlled.round("one")
        assert (done["phase"], done["reason"], controlled.over) == ("Done", names.CAPTURED, ["shop"])
        assert [one["status"] for one in done["conditions"] if one["type"] == "Ready"] == ["True"]
        content = collector.client.get(done["path"]).content
        assert len(content) == done["size"] > 0

        await controlled.round()
        assert "one" in controlled.shop.there, "its time is not over"
        controlled.now = datetime.fromisoformat(done["expiresAt"])
        await controlled.round()
        assert "one" not in controlled.shop.there
        controlled.loop.gone(("shop", "one"))
        await controlled.round()
        assert collector.client.get(done["path"]).status_code == 404, "the data went with it"

    with_loop(tmp_path, collector.url, test)


def test_why_one_is_refused(tmp_path: Path, collector: Collector) -> None:
    async def test(controlled: Controlled) -> None:
        controlled.world.pods.put(pod("silent"))
        for spec, reason in (
            ({"pod": "nobody"}, names.CAPTURE_POD_NOT_FOUND),
            ({"pod": "bare"}, names.CAPTURE_NOT_INJECTED),
            ({"pod": "silent", "container": "db"}, names.CAPTURE_NO_CONTAINER),
            ({"pod": "silent", "ofANewerVersion": 1, "kinds": ["HeapGraph"]}, names.CAPTURE_UNREADABLE),
        ):
            status = await controlled.begun("one", **spec)
            assert (status["phase"], status["reason"]) == ("Refused", reason)
            assert status["message"]
            assert status["expiresAt"]
        await controlled.begun("one", pod="silent")
        [status] = await controlled.round("one")
        assert (status["phase"], status["reason"]) == ("Refused", names.CAPTURE_SILENT), (
            "as the collector says"
        )

        # Whose the pods are is not known yet: it is waited for, and not for ever.
        assert await controlled.begun("two", workload={"kind": "Deployment", "name": "web"}) == {}
        controlled.now += timedelta(minutes=1)
        [status] = await controlled.round("two")
        assert (status["phase"], status["reason"]) == ("Refused", names.CAPTURE_NO_POD)

        controlled.world.pods_listed = False
        assert await controlled.begun("three", pod="nobody") == {}, "a pod that is not known yet is not gone"
        controlled.world.pods_listed = True
        for answer in (409, 403, 404):
            controlled.shop.refuses = answer
            assert (await controlled.round("three")) == [{}]

    with_loop(tmp_path, collector.url, test)


def test_data_whose_object_went_while_nobody_looked_go_and_no_others(
    tmp_path: Path, collector: Collector
) -> None:
    told = Pod(collector.client, "web-2")
    told.tick()
    told.profile()

    def is_kept(uid: str) -> bool:
        return collector.client.get(f"/api/v1/evidence/{uid}").status_code == 200

    async def test(controlled: Controlled) -> None:
        shop = controlled.shop
        controlled.world.pods.put(replace(pod("web-2"), uid=told.uid))
        uids = {}
        for name in ("stays", "goes", "decided"):
            await controlled.begun(name, pod="web-2")
            await controlled.round()
            uids[name] = shop.there[name]["metadata"]["uid"]
        uids["asked for by somebody else"] = str(uuid4())
        told.ask(uids["asked for by somebody else"])
        about = {
            "namespace": "shop",
            "profile": "shop",
            "kind": "Deployment",
            "name": "web",
            "action": "Evict",
        }
        about |= {"id": str(uuid4()), "result": "Done", "reason": "x", "at": NOW.isoformat()}
        decision = about | {"recording": f"/api/v1/evidence/{uids['decided']}/recording"}
        answer = collector.client.post("/api/v1/decisions", json={"items": [decision]})
        assert answer.status_code == 204, answer.text

        for name in ("goes", "decided"):
            controlled.world.snapshots.remove(("shop", name))  # as a controller knows it that comes after
            del shop.there[name]
        shop.refuses = 500
        for _ in range(2):  # a list that fails says nothing of what is there
            controlled.now += GRACE
            await controlled.round()
        shop.refuses = 0
        for wait in (LOOK_EVERY, GRACE - LOOK_EVERY):
            controlled.now += wait
            await controlled.round()
            assert all(map(is_kept, uids.values())), "it may come back"
        controlled.now += LOOK_EVERY
        await controlled.round()
        assert [name for name, uid in uids.items() if not is_kept(uid)] == ["goes"]

    with_loop(tmp_path, collector.url, test)


def test_where_the_cluster_does_not_say_which_it_is_nothing_is_taken_for_gone(
    tmp_path: Path, collector: Collector
) -> None:
    told = Pod(collector.client, "web-3")
    told.tick()

    async def test(controlled: Controlled) -> None:
        controlled.shop.cluster = ""
        controlled.world.pods.put(replace(pod("web-3"), uid=told.uid))
        await controlled.begun("one", pod="web-3", kinds=["Profile"])
        await controlled.round()
        uid = controlled.shop.there.pop("one")["metadata"]["uid"]
        controlled.world.snapshots.remove(("shop", "one"))
        for _ in range(3):
            controlled.now += GRACE
            await controlled.round()
        assert collector.client.get(f"/api/v1/evidence/{uid}").status_code == 200

    with_loop(tmp_path, collector.url, test)


def test_a_collector_that_is_away_is_waited_for_and_not_for_ever(tmp_path: Path) -> None:
    async def test(controlled: Controlled) -> None:
        controlled.world.pods.put(pod("web-1"))
        await controlled.begun("one", pod="web-1")
        task = asyncio.create_task(controlled.loop.run())
        await controlled.said("one", names.CAPTURE_NO_COLLECTOR)
        controlled.now += timedelta(minutes=11)
        assert (await controlled.said("one", names.CAPTURE_LATE))["phase"] == "Failed"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with_loop(tmp_path, "http://127.0.0.1:9", test)
