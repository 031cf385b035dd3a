"""Commands for sidecars: made, waited for, delivered at least once, answered, expired; several collectors."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from collector_processes import Collector, Shared

from memwarden_api import cluster

PATIENCE = 120.0


def post(client: httpx.Client, pod_uid: str, **more: Any) -> cluster.Command:
    body = {"pod_uid": pod_uid, "container": "app", "kind": "Flush"} | more
    answer = client.post("/api/v1/commands", json=body)
    assert answer.status_code == 201, answer.text
    return cluster.Command.model_validate_json(answer.content)


def fetch(client: httpx.Client, pod_uid: str, wait: float = 0) -> list[cluster.Command]:
    answer = client.get("/api/v1/commands/next", params={"pod_uid": pod_uid, "wait": wait}, timeout=90)
    assert answer.status_code == 200, answer.text
    return list(cluster.Commands.model_validate_json(answer.content).items)


def state(client: httpx.Client, command: cluster.Command) -> cluster.Command:
    return cluster.Command.model_validate_json(client.get(f"/api/v1/commands/{command.id}").content)


def result(client: httpx.Client, command: cluster.Command, done: bool = True, message: str = "") -> int:
    body = {"done": done, "message": message, "at": datetime.now(UTC).isoformat()}
    return client.post(f"/api/v1/commands/{command.id}/result", json=body).status_code


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def test_the_way_of_a_command(shared: Shared) -> None:
    pod, client = shared.scope, shared.client
    made = post(client, pod, kind="SetSampling", sampling_bytes=65536, pid=7, expires_in_seconds=90)
    assert (made.state, made.sampling_bytes, made.pid) == ("Pending", 65536, 7)
    assert (made.expires_at - made.made_at).total_seconds() == pytest.approx(90)
    assert fetch(client, pod + "-other") == []
    (got,) = fetch(client, pod)
    assert got == made.model_copy(update={"state": "Delivered"})
    assert fetch(client, pod) == []  # not at once again
    assert state(client, made).state == "Delivered"
    assert result(client, made, True, "asked 2 processes") == 204
    assert result(client, made, False, "the second answer") == 204
    after = state(client, made)
    assert after.state == "Done"
    assert after.result is not None
    assert after.result.message == "asked 2 processes"
    failed = post(client, pod)
    assert result(client, failed, False, "no such container") == 204
    assert state(client, failed).state == "Failed"


def test_what_was_not_answered_comes_again_until_it_expires(shared: Shared) -> None:
    pod, client = shared.scope, shared.client
    short, long = post(client, pod), post(client, pod, expires_in_seconds=600)
    assert [one.id for one in fetch(client, pod)] == [short.id, long.id]
    shared.rows("update command set expires_at = now() where command_id = %s returning 1", short.id)
    assert state(client, short).state == "Expired"
    shared.rows(
        "update command set delivered_at = now() - interval '1 minute' returning 1"
    )  # nobody answered
    assert [one.id for one in fetch(client, pod)] == [long.id]
    assert result(client, short) == 204  # it was done all the same
    assert state(client, short).state == "Done"


def test_who_waits_gets_it_at_once_and_who_waits_again_takes_the_place(
    shared: Shared, threads: ThreadPoolExecutor
) -> None:
    pod, client = shared.scope, shared.client
    first = threads.submit(fetch, client, pod, 60)
    until = time.monotonic() + PATIENCE
    while "memwarden_collector_sidecars_waiting 1" not in client.get("/metrics").text:
        assert time.monotonic() < until
    second = threads.submit(fetch, client, pod, 60)
    assert first.result(PATIENCE) == []
    made = post(client, pod)
    assert [one.id for one in second.result(PATIENCE)] == [made.id]
    assert fetch(client, pod, 0.01) == []


@pytest.mark.system  # several collectors are started
def test_many_wait_without_threads_and_connections(
    start: Any, database_url: str, threads: ThreadPoolExecutor
) -> None:
    """More wait than the collector has threads, while everything else goes on; each gets its own, from either
    collector; who ends does not wait for them."""
    one: Collector = start(database_url, "--max-waiting-sidecars", "30")
    other: Collector = start(database_url)
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=one.url, timeout=60, trust_env=False, limits=limits) as client:
        waiting = {f"pod-{n}": threads.submit(fetch, client, f"pod-{n}", 60) for n in range(30)}
        until = time.monotonic() + PATIENCE
        while "memwarden_collector_sidecars_waiting 30" not in one.client.get("/metrics").text:
            assert time.monotonic() < until
        refused = client.get("/api/v1/commands/next", params={"pod_uid": "late", "wait": 9})
        assert refused.status_code == 503
        assert "max_waiting_sidecars=30" in refused.json()["detail"]
        made = {
            pod: post(other.client if n % 2 else one.client, pod) for n, pod in enumerate(waiting) if n < 20
        }
        for pod, command in made.items():
            assert [item.id for item in waiting[pod].result(PATIENCE)] == [command.id]
        assert not any(future.done() for pod, future in waiting.items() if pod not in made)
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 40, "they would wait for a minute"
        left = [future.result(PATIENCE) for pod, future in waiting.items() if pod not in made]
        assert left == [[]] * 10
    assert other.stop() == 0


@pytest.mark.system  # several collectors are started
def test_a_database_that_is_away_makes_them_wait(
    start: Any, server: Any, database_url: str, threads: ThreadPoolExecutor
) -> None:
    collector: Collector = start(database_url)
    waiting = threads.submit(fetch, collector.client, "pod", 60)
    until = time.monotonic() + PATIENCE
    while "memwarden_collector_sidecars_waiting 1" not in collector.client.get("/metrics").text:
        assert time.monotonic() < until
    server.stop()
    time.sleep(2.5)  # looks that fail
    assert not waiting.done()
    server.start()
    made = post(collector.client, "pod")
    assert [one.id for one in waiting.result(PATIENCE)] == [made.id]
    assert "Traceback" not in collector.log.read_text()


def test_what_is_wrong_is_named_and_open_commands_are_bounded(start: Any, database_url: str) -> None:
    client = start(database_url, "--max-pod-commands", "2", "--max-commands", "3").client
    good = {"pod_uid": "pod", "container": "app", "kind": "Flush"}
    wrong = [
        ({"kind": "Reboot"}, "kind"),
        ({"kind": "SetSampling"}, "sampling_bytes"),
        ({"sampling_bytes": 65536}, "sampling_bytes"),
        ({"kind": "SetSampling", "sampling_bytes": 1}, "sampling_bytes"),
        ({"expires_in_seconds": 0}, "expires_in_seconds"),
        ({"pod_uid": ""}, "pod_uid"),
        ({"pod_uid": "\x00"}, "pod_uid"),
        ({"pid": 0}, "pid"),
        ({"pid": 2**31}, "pid"),
        ({"surplus": 1}, "surplus"),
    ]
    for more, field in wrong:
        answer = client.post("/api/v1/commands", json=good | more)
        assert answer.status_code == 422, more
        assert field in answer.json()["detail"]
    assert client.get("/api/v1/commands/next?pod_uid=pod&wait=61").status_code == 422
    assert client.get("/api/v1/commands/next").status_code == 422
    unknown = "00000000-0000-4000-8000-000000000000"
    assert client.get(f"/api/v1/commands/{unknown}").status_code == 404
    assert client.get("/api/v1/commands/no-id").status_code == 422
    body = {"done": True, "at": "2026-11-20T12:00:00Z"}
    assert client.post(f"/api/v1/commands/{unknown}/result", json=body).status_code == 404
    post(client, "pod"), post(client, "pod")
    for pod, limit in (("pod", "max_pod_commands=2"), ("other", "max_commands=3")):
        if pod == "other":
            post(client, "third")
        answer = client.post("/api/v1/commands", json=good | {"pod_uid": pod})
        assert answer.status_code == 429
        assert answer.headers["retry-after"]
        assert limit in answer.json()["detail"]
    assert (
        'limit="max_pod_commands",reason="pod_commands",status="429",value="2"' in client.get("/metrics").text
    )
