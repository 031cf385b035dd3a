"""What a look over a namespace's pods finds, over HTTP against a stand-in for the API server."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from controller_memory import Cluster as StandIn
from controller_memory import kubeconfig, started

from memwarden_api import names
from memwarden_kube.client import connect
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.observed import Missed
from memwarden_operator.controller.owners import Owners
from memwarden_operator.controller.profiles import read
from memwarden_operator.controller.scan import Scanner

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
MADE = "2026-11-22T19:50:00Z"
PROFILE = {
    "metadata": {
        "name": "shop",
        "namespace": "shop",
        "uid": "p1",
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": "2026-11-22T19:00:00Z",
    },
    "spec": {"selector": {"matchLabels": {"part": "shop"}}},
}


def owner(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


class Space(StandIn):
    """A namespace with one pod that nobody has injected, of a Deployment."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(0, 0)
        self.refuses = "nothing"
        labels = {"part": "shop", "pod-template-hash": "5d9c7b"}
        about = {
            "name": "web-1",
            "namespace": "shop",
            "uid": "u1",
            "creationTimestamp": MADE,
            "labels": labels,
        }
        self.pod = {
            "metadata": about | {"ownerReferences": owner("ReplicaSet", "web-5d9c7b")},
            "spec": {"containers": [{"name": "app", "image": "web:1"}], **spec},
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1/namespaces/shop").removeprefix(
            "/apis/apps/v1/namespaces/shop"
        )
        if path == self.refuses:
            return web.json_response({"message": "no"}, status=403)
        found: dict[str, dict[str, Any]] = {
            "": {"metadata": {"labels": {names.INJECT: "true"}}},
            "/pods": {"metadata": {"resourceVersion": "1"}, "items": [self.pod]},
            "/pods/web-1": self.pod,
            "/replicasets/web-5d9c7b": {
                "metadata": {"uid": "uid-web-5d9c7b", "ownerReferences": owner("Deployment", "web")}
            },
        }
        return web.json_response(found[path])


async def scanned(space: Space, folder: Path) -> Missed:
    runner, url = await started(space)
    try:
        async with await connect(kubeconfig(folder, url)) as client:
            cluster = Cluster(client)
            scans, _ = await Scanner(cluster, Owners(cluster.metadata)).scan("shop", [read(PROFILE)], NOW)
    finally:
        await runner.cleanup()
    (one,) = scans["shop"].missed
    return one


def test_a_missed_pod_is_known_with_its_workload_and_version(tmp_path: Path) -> None:
    found = asyncio.run(scanned(Space(), tmp_path))
    assert (found.reason, found.curable) == (names.MISSED_NOT_SEEN, True)
    assert (found.name, found.uid, found.version) == ("web-1", "u1", "5d9c7b")
    assert found.made_at == datetime(2026, 11, 22, 19, 50, tzinfo=UTC)
    assert found.workload is not None
    assert (found.workload.kind, found.workload.name, found.workload.uid) == ("Deployment", "web", "uid-web")


@pytest.mark.parametrize(
    ("spec", "refuses", "reason"),
    [
        ({"hostNetwork": True}, "nothing", names.SKIP_HOST_NETWORK),
        ({}, "/replicasets/web-5d9c7b", names.MISSED_NOT_SEEN),
    ],
    ids=["the injector would leave it alone again", "whose it is is not known yet"],
)
def test_a_rollout_would_not_help_a_pod(
    tmp_path: Path, spec: dict[str, Any], refuses: str, reason: str
) -> None:
    space = Space(**spec)
    space.refuses = refuses
    found = asyncio.run(scanned(space, tmp_path))
    assert (found.reason, found.curable) == (reason, False)
