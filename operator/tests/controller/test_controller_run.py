"""The whole controller in this process, its loops and Kopf, against stand-ins for API server and collector.

The stand-ins are those of the benchmark of its memory; the real ones are asked in e2e/kubernetes/test_controller.py.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from controller_memory import Cluster, kubeconfig, started

from memwarden.run.port import ReservedPort
from memwarden_api import names
from memwarden_operator.controller.run import run
from memwarden_operator.controller.settings import Settings

INJECTED = 4
WAIT_SECONDS = 300.0


class Cloud(Cluster):
    """Twenty pods in twenty namespaces, four of them injected; one that should be, and is not."""

    MISSED = 7

    def __init__(self) -> None:
        super().__init__(20, INJECTED)
        self.statuses: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.collector_told: dict[str, Any] = {}

    def metadata(self, number: int) -> dict[str, Any]:
        found = super().metadata(number)
        if number == self.MISSED:
            found["labels"]["part"] = "shop"
        return found

    def listed(self, path: str, query: Any) -> dict[str, Any]:
        missed = self.metadata(self.MISSED)
        if path == f"/api/v1/namespaces/{missed['namespace']}/pods/{missed['name']}":
            whole = self.pod(self.MISSED)
            del whole["spec"]["initContainers"]  # ours, which all pods of the stand-in have
            return whole
        return super().listed(path, query)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "PATCH":
            body = await request.json()
            self.statuses[body["metadata"]["namespace"]] = body["status"]
        elif request.method == "POST" and request.path.endswith("/events"):
            self.events.append(await request.json())
        elif request.method == "PUT":
            self.collector_told[request.path] = await request.json()
        return await super().answer(request)

    def with_injected(self) -> set[str]:
        """Namespaces whose profile says that a pod of it is injected."""
        return {name for name, status in self.statuses.items() if status["coverage"]["injected"]}

    def condition(self, namespace: str, kind: str) -> tuple[str, str]:
        found = {one["type"]: one for one in self.statuses[namespace]["conditions"]}[kind]
        return found["status"], found["reason"]


async def until(true: Any) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not true():  # noqa: ASYNC110 - what is looked at is another server's, without an event
            await asyncio.sleep(0.05)


async def look(folder: Path) -> tuple[Cloud, str, list[int]]:
    """A controller from its start until it has told all that there is, and its end."""
    cloud = Cloud()
    runner, url = await started(cloud)
    collector, collector_url = await started(cloud)
    door = ReservedPort()
    settings = Settings(
        kubeconfig=kubeconfig(folder, url), collector_url=collector_url, listen=door.address,
        scan_seconds=1, elsewhere_seconds=1, status_seconds=1,
    )  # fmt: skip
    running = asyncio.create_task(run(settings))
    spaces = {f"team-{number}" for number in range(10)}

    def all_is_told() -> bool:
        assert not running.done(), running
        return (
            spaces <= set(cloud.statuses)
            and cloud.with_injected() == {f"team-{number}" for number in range(INJECTED)}
            and any(path.endswith("/owners") for path in cloud.collector_told)
            and any("/coverage/team-7/" in path for path in cloud.collector_told)
            and bool(cloud.statuses["team-7"]["coverage"].get("skipped"))
        )

    try:
        await until(all_is_told)
        async with httpx.AsyncClient(
            base_url=f"http://{door.address}", trust_env=False, timeout=120
        ) as client:
            health = [(await client.get(path)).status_code for path in ("/healthz", "/readyz")]
            numbers = (await client.get("/metrics")).text
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await collector.cleanup()
        await runner.cleanup()
        door.close()
    return cloud, numbers, health


def test_from_pods_and_profiles_to_statuses_events_and_what_the_collector_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cloud, numbers, health = asyncio.run(look(tmp_path))

    assert [one.getMessage() for one in caplog.records if one.exc_info] == [], "no loop began anew"
    assert health == [200, 200]
    # Each of the first four namespaces has one injected pod; of the others, one has a pod that was missed.
    assert cloud.with_injected() == {"team-0", "team-1", "team-2", "team-3"}
    (missed,) = cloud.statuses["team-7"]["coverage"]["skipped"]
    assert (missed["pod"], missed["reason"]) == (cloud.metadata(7)["name"], names.MISSED_NOT_SEEN)
    assert "kubectl rollout restart" in missed["message"]
    assert cloud.condition("team-7", "Injected") == ("False", names.REASON_PODS_MISSED)
    assert cloud.condition("team-5", "Ready") == ("Unknown", names.REASON_NO_POD)
    assert cloud.condition("team-0", "Injected") == ("True", names.REASON_ALL_INJECTED)
    assert names.EVENT_POD_MISSED in {event["reason"] for event in cloud.events}
    (owners,) = (told for path, told in cloud.collector_told.items() if path.endswith("/owners"))
    assert {(one["kind"], one["name"]) for one in owners["items"]} == {("Deployment", "web-0")}
    assert "memwarden_controller_reconciles_total" in numbers
