"""Workloads, their changes and leaks over HTTP, and the series for Prometheus."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import collector_requests as otlp
import httpx
import pytest
from collector_processes import Collector
from fleets import Fleet, flat, leak
from prometheus_client.parser import text_string_to_metric_families

from memwarden_api import names, workloads
from memwarden_collector.serve.exposition import Exposition
from memwarden_collector.telemetry import Telemetry

WEB = "shop/Deployment/web/app"
PROBLEM = "application/problem+json"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = Fleet(database_url)
    made.container("a", leak(220), version="v1")
    made.container("b", flat(220), deployment="db")
    made.container("c", flat(220), deployment='odd"\\\n', **{names.K8S_NAMESPACE: "other"})
    made.tick()
    made.analyst.release()
    yield made
    made.close()


@pytest.fixture
def serving(fleet: Fleet, start: Callable[..., Collector]) -> Iterator[Collector]:
    running = start(fleet.url)
    yield running
    assert running.stop() == 0, running.log.read_text()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()


def changes(client: httpx.Client, **query: Any) -> workloads.WorkloadChanges:
    response = client.get("/api/v1/workloads/changes", params=query, timeout=120)
    assert response.status_code == 200, response.text
    return workloads.WorkloadChanges.model_validate_json(response.content)


def test_lists_single_ones_tags_and_bad_questions(serving: Collector) -> None:
    client = serving.client
    page = workloads.WorkloadPage.model_validate_json(client.get("/api/v1/workloads").content)
    assert {one.verdict for one in page.items} == {"Leaking", "Healthy"}
    assert len(page.items) == 3
    for query, count in (
        ({"namespace": "shop"}, 2), ({"namespace": "none"}, 0), ({"verdict": "Leaking"}, 1),
        ({"namespace": "other", "verdict": "Leaking"}, 0),
    ):  # fmt: skip
        assert len(client.get("/api/v1/workloads", params=query).json()["items"]) == count, query
    seen, cursor = [], None
    while True:
        answer = client.get(
            "/api/v1/workloads", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [one["workload"] for one in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(one.workload for one in page.items)

    response = client.get(f"/api/v1/workloads/{WEB}")
    found = workloads.Workload.model_validate_json(response.content)
    assert (found.workload, found.verdict, found.leak) == (WEB, "Leaking", "1")
    again = client.get(f"/api/v1/workloads/{WEB}", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", response.headers["etag"])
    other = client.get(f"/api/v1/workloads/{WEB}", headers={"if-none-match": '"x", "y"'})
    assert other.status_code == 200

    leaks = workloads.LeakPage.model_validate_json(client.get("/api/v1/leaks").content)
    (one,) = leaks.items
    assert (one.leak, one.workload, one.state, one.returns) == ("1", WEB, "growing", 0)
    assert [change.state for change in one.history] == ["growing"]
    single = client.get("/api/v1/leaks/1")
    assert workloads.Leak.model_validate_json(single.content) == one
    tag = {"if-none-match": single.headers["etag"]}
    assert client.get("/api/v1/leaks/1", headers=tag).status_code == 304
    for query, count in (({"state": "closed"}, 0), ({"workload": WEB}, 1), ({"namespace": "other"}, 0)):
        assert len(client.get("/api/v1/leaks", params=query).json()["items"]) == count, query

    for path, status in (
        ("/api/v1/workloads/none", 404), ("/api/v1/leaks/99", 404), ("/api/v1/leaks/x", 422),
        ("/api/v1/workloads?verdict=Sad", 422), ("/api/v1/workloads?cursor=%21", 400),
        ("/api/v1/workloads?limit=0", 422),
        ("/api/v1/workloads/changes?wait=61", 422), ("/api/v1/workloads/changes?wait=-1", 422),
        ("/api/v1/workloads/changes?after=%21%21", 400), ("/api/v1/workloads/changes?limit=501", 422),
        ("/api/v1/leaks?state=sad", 422), (f"/api/v1/workloads/{'x' * 600}", 422),
        ("/api/v1/workloads/a%00b", 422), ("/api/v1/leaks?workload=%00", 422),
    ):  # fmt: skip
        response = client.get(path)
        assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM), path


def test_who_waits_hears_of_a_change_at_once_and_others_are_not_in_the_way(serving: Collector) -> None:
    client = serving.client
    first = changes(client)
    assert len(first.items) == 3
    assert not first.more
    part = changes(client, limit=2)
    assert part.more
    assert [one.workload for one in changes(client, after=part.cursor).items] == [first.items[2].workload]
    assert changes(client, after=first.cursor).items == ()
    before = time.monotonic()
    empty = changes(client, after=first.cursor, wait=1.5)
    assert time.monotonic() - before >= 1.4
    assert (empty.items, empty.cursor) == ((), first.cursor)
    strange = "OTk5OTk5"  # 999999: of a database that was there before
    assert len(changes(client, after=strange).items) == 3

    with (
        ThreadPoolExecutor(200) as pool,
        httpx.Client(
            base_url=serving.url, trust_env=False, limits=httpx.Limits(max_connections=220), timeout=120
        ) as many,
    ):
        waiting = [pool.submit(changes, many, after=first.cursor, wait=60) for _ in range(200)]
        time.sleep(2)
        assert client.get("/api/v1/workloads").status_code == 200, "others are answered meanwhile"
        sent = time.monotonic()
        for tick in range(10):
            otlp.post_metrics(client, otlp.metrics("run/1", time.time() - 10 + tick))
        assert client.post("/api/v1/scopes/run/1/judge").status_code == 200
        for one in waiting:
            assert "run/1" in [item.workload for item in one.result(60).items]
        assert time.monotonic() - sent < 50, "nobody waited for his time to be up"


def test_a_collector_ends_although_somebody_waits(fleet: Fleet, start: Callable[..., Collector]) -> None:
    serving = start(fleet.url)
    cursor = changes(serving.client).cursor
    ended: list[object] = []

    def wait() -> None:
        try:
            ended.append(httpx.get(
                f"{serving.url}/api/v1/workloads/changes",
                params={"after": cursor, "wait": 60}, timeout=90, trust_env=False,
            ))  # fmt: skip
        except httpx.HTTPError as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(1)
    assert serving.stop() == 0
    thread.join(120)
    assert ended
    assert "Traceback" not in serving.log.read_text(), serving.log.read_text()


# ── Prometheus ───────────────────────────────────────────────────────────────────────────────────────────
def test_the_series_are_prometheus_text_and_the_same_from_each_collector(
    serving: Collector, fleet: Fleet, start: Callable[..., Collector]
) -> None:
    text = serving.client.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    active = {
        (
            one.labels["namespace"],
            one.labels["kind"],
            one.labels["workload"],
            one.labels["container"],
        ): one.value
        for one in families[names.PROMETHEUS_LEAK_ACTIVE].samples
    }
    assert active == {
        ("shop", "Deployment", "web", "app"): 1.0,
        ("shop", "Deployment", "db", "app"): 0.0,
        ("other", "Deployment", 'odd"\\\n', "app"): 0.0,
    }
    assert families[names.PROMETHEUS_LEAK_ACTIVE].type == "gauge"
    forecasts = {one.labels["quantile"]: one.value for one in families[names.PROMETHEUS_FORECAST].samples}
    assert forecasts["0.1"] <= forecasts["0.5"] <= forecasts["0.9"]
    usage = {one.labels["workload"]: one.value for one in families[names.PROMETHEUS_USAGE].samples}
    assert usage["web"] == pytest.approx(0.32, rel=0.05)
    growth = {one.labels["workload"]: one.value for one in families[names.PROMETHEUS_GROWTH].samples}
    assert growth["web"] == pytest.approx(1e6, rel=0.1)
    assert families[names.PROMETHEUS_LEFT_OUT].samples[0].value == 0

    other = start(fleet.url)
    ours = [line for line in text.splitlines() if line.startswith("memwarden_") and "collector" not in line]
    theirs = [line for line in other.client.get("/metrics").text.splitlines() if line in ours]
    assert theirs == ours


def test_the_worst_are_told_and_how_many_are_left_out(fleet: Fleet) -> None:
    text = Exposition(fleet.database, Telemetry(), 1).text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert [one.labels["workload"] for one in families[names.PROMETHEUS_LEAK_ACTIVE].samples] == ["web"]
    assert families[names.PROMETHEUS_LEFT_OUT].samples[0].value == 2
    assert Exposition(fleet.database, Telemetry(), 0).text().count("\n") == 2 * 8 + 1
