"""What the controller tells the real collector is what the collector has; and what it says when that fails."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from memwarden_api.cluster import Coverage, Owner, Restart, Rollout, SkippedPod
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_api.workloads import WorkloadChanges
from memwarden_operator.controller.collector import CollectorDoor, _model
from memwarden_operator.controller.errors import CollectorAway, CollectorRefuses
from memwarden_operator.controller.facts import decisions_of
from memwarden_operator.controller.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[3] / "collector" / "tests"))

from collector_processes import Collector, Server

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
TOKEN = "a-token-of-the-controller"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    server = Server(tmp_path_factory.mktemp("mwd"))
    server.start()
    running = Collector(tmp_path_factory.mktemp("collector"), server.url(), env={"MEMWARDEN_TOKEN": TOKEN})
    running.client.headers["Authorization"] = f"Bearer {TOKEN}"
    yield running
    running.kill()
    server.stop()


def told(url: str, folder: Path, what: Callable[[CollectorDoor], Awaitable[Any]], token: str = TOKEN) -> Any:
    file = folder / "token"
    file.write_text(token + "\n")

    async def run() -> Any:
        async with CollectorDoor(Settings(collector_url=url, collector_token_file=file)) as door:
            return await what(door)

    return asyncio.run(run())


def test_facts_are_told_twice_and_stand_once(collector: Collector, tmp_path: Path) -> None:
    owners = [
        Owner(namespace="shop", pod=f"web-{number}", pod_uid=f"u{number}", kind="Deployment", name="web")
        for number in range(700)  # more than one batch
    ]
    rollout = Rollout(namespace="shop", kind="Deployment", name="web", version="v1", started_at=NOW)
    restart = Restart(
        namespace="shop",
        pod="web-1",
        pod_uid="u1",
        container="app",
        restart_count=1,
        reason="OOMKilled",
        finished_at=NOW,
    )
    skipped = (SkippedPod(pod="web-9", reason="HostNetwork", message="it is in its node's network"),)
    coverage = Coverage(matched=2, injected=1, skipped=skipped, at=NOW)

    async def tell(door: CollectorDoor) -> dict[str, int]:
        for _ in range(2):
            await door.tell_owners(owners)
            await door.tell_rollouts([rollout])
            await door.tell_restarts([restart])
            await door.tell_coverage("shop", "my profile", coverage)
        return await door.reporting("shop")

    assert told(collector.url, tmp_path, tell) == {"my profile": 0}
    found = collector.client.get("/api/v1/cluster/owners", params={"namespace": "shop", "limit": 1000}).json()
    assert len(found["items"]) == 700
    for kind in ("rollouts", "restarts", "coverage"):
        (one,) = collector.client.get(f"/api/v1/cluster/{kind}", params={"namespace": "shop"}).json()["items"]
        assert one["namespace"] == "shop"

    async def forget(door: CollectorDoor) -> dict[str, int]:
        await door.forget_coverage("shop", "my profile")
        await door.forget_coverage("shop", "my profile")  # that it is gone already is no error
        return await door.reporting("shop")

    assert told(collector.url, tmp_path, forget) == {}


def test_decisions_of_a_status_are_told_twice_and_stand_once(collector: Collector, tmp_path: Path) -> None:
    decided = {
        "time": "2026-11-22T12:00:00Z", "workload": "Deployment/web", "pod": "web-1", "action": "Evict",
        "result": "Done", "reason": "ConditionsHold",
        "evidence": {"snapshot": "shop-1", "path": "/api/v1/evidence/1/recording"},
    }  # fmt: skip
    later = decided | {"time": "2026-11-22T13:00:00Z", "pod": "", "result": "Refused", "evidence": None}
    status = {"remediations": [decided, later, decided | {"workload": "StatefulSet/db"}]}
    about = {"name": "my-profile", "namespace": "shop", "uid": "1"}
    profile = MemoryProfile.from_cluster({"metadata": about, "status": status})

    async def tell(door: CollectorDoor) -> None:
        for _ in range(2):
            await door.tell_decisions(tuple(decisions_of(profile)))

    told(collector.url, tmp_path, tell)
    query = {"namespace": "shop", "kind": "Deployment", "name": "web", "limit": "1"}
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = collector.client.get(
            "/api/v1/decisions", params=query | ({"cursor": cursor} if cursor else {})
        ).json()
        found += page["items"]
        cursor = page["next_cursor"]
    assert [(one["at"][11:13], one["result"], one["pod"]) for one in found] == [
        ("13", "Refused", ""),
        ("12", "Done", "web-1"),
    ]
    assert [(one["snapshot"], one["recording"]) for one in found] == [
        ("", ""),
        ("shop-1", "/api/v1/evidence/1/recording"),
    ]
    assert len(collector.client.get("/api/v1/decisions", params={"namespace": "shop"}).json()["items"]) == 3


def test_a_token_that_is_not_taken_is_said_with_what_it_needs(collector: Collector, tmp_path: Path) -> None:
    with pytest.raises(CollectorRefuses, match="needs a token of the controller's service account"):
        told(collector.url, tmp_path, lambda door: door.reporting("shop"), token="another")


def test_a_token_is_read_anew_before_each_request(collector: Collector, tmp_path: Path) -> None:
    async def turn(door: CollectorDoor) -> None:
        with pytest.raises(CollectorRefuses):
            await door.reporting("shop")
        (tmp_path / "token").write_text(TOKEN)
        await door.reporting("shop")

    told(collector.url, tmp_path, turn, token="the-old-one")


def test_a_collector_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollectorAway, match=r"does not answer GET http://127\.0\.0\.1:9/"):
        told("http://127.0.0.1:9", tmp_path, lambda door: door.reporting("shop"))


def test_what_a_newer_collector_says_beyond_is_left_out() -> None:
    body = b'{"items": [], "cursor": "7", "more": false, "ofANewerVersion": {"deep": [1]}}'
    assert _model(WorkloadChanges, body).cursor == "7"
    with pytest.raises(CollectorRefuses, match=r"cursor: Field required.*both of one version"):
        _model(WorkloadChanges, b'{"items": [], "more": false}')
