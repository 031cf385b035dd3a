"""The interface: verdicts, series, profiles, pages, problems."""

import time
from pathlib import Path
from typing import Any

import collector_requests as otlp
import pytest
from collector_processes import Collector

from memwarden_api import names, report, rest

STACK = (("/app/leak.py", 7, "grow"), ("/app/main.py", 3, "main"))


def fill(collector: Collector, scope: str, ticks: int, ended: float, grow: float = 1e6) -> None:
    """One tick a second up to `ended`, a profile each fifth."""
    for tick in range(ticks):
        at = ended - (ticks - 1 - tick)
        anon = 1e8 + grow * tick
        assert otlp.post_metrics(collector.client, otlp.metrics(scope, at, anon)).status_code == 200
        if tick % 5 == 0:
            live = int(1e6 + grow * tick)
            cells = [(STACK, "1", 1000, 2, 1), (STACK, "inf", live, live // 100, 20 + tick)]
            assert otlp.post_profiles(collector.client, otlp.profiles(scope, at, cells)).status_code == 200


def test_judging_now_and_the_kept_verdict(collector: Collector) -> None:
    fill(collector, "run/1", 60, time.time())
    client = collector.client
    response = client.post("/api/v1/scopes/run/1/judge")
    assert response.status_code == 200, response.text
    verdict = report.Verdict.model_validate_json(response.content)
    assert verdict.scope == "run/1"
    assert verdict.limit == report.Limit(bytes=1 << 30, source="option")
    assert [process.pid for process in verdict.processes] == [100]
    assert verdict.processes[0].runtime == "cpython 3.11.7"
    assert verdict.anon_bytes == pytest.approx(1e8 + 59e6)
    assert verdict.history[-1].verdict == verdict.verdict
    kept = report.Verdict.model_validate_json(client.get("/api/v1/scopes/run/1/verdict").content)
    assert kept == verdict
    page = rest.VerdictPage.model_validate_json(
        client.get("/api/v1/verdicts", params={"verdict": verdict.verdict}).content
    )
    assert page.items == (verdict,)
    other = "Fragmented" if verdict.verdict != "Fragmented" else "Healthy"
    assert client.get("/api/v1/verdicts", params={"verdict": other}).json()["items"] == []


def test_the_job_judges_by_itself_and_goes_on_after_a_restart(start: Any, database_url: str) -> None:
    collector = start(database_url)
    ended = time.time()
    fill(collector, "run", 40, ended - 10)
    until = time.monotonic() + 120
    while (response := collector.client.get("/api/v1/scopes/run/verdict")).status_code != 200:
        assert time.monotonic() < until, response.text
        time.sleep(0.05)
    collector.kill()
    collector = start(database_url)
    before = len(collector.client.get("/api/v1/scopes/run/verdict").json()["history"])
    otlp.post_metrics(collector.client, otlp.metrics("run", ended))
    after = collector.client.post("/api/v1/scopes/run/judge").json()
    assert len(after["history"]) >= before
    assert "report it" not in collector.log.read_text()


def test_late_data_is_seen_by_the_next_judgement(collector: Collector) -> None:
    ended = time.time()
    client = collector.client
    for tick in (*range(20), *range(40, 60)):
        otlp.post_metrics(client, otlp.metrics("run", ended - 60 + tick, 1e8))
    assert client.post("/api/v1/scopes/run/judge").status_code == 200
    for tick in range(20, 40):  # a spool is replayed
        otlp.post_metrics(client, otlp.metrics("run", ended - 60 + tick, 1e8))
    assert client.post("/api/v1/scopes/run/judge").status_code == 200
    recording = client.get("/api/v1/scopes/run/recording")
    assert recording.status_code == 200
    assert len(recording.content) > 100


def test_a_scope_without_samples_and_unknown_things_are_problems(collector: Collector) -> None:
    client = collector.client
    otlp.post_metrics(client, otlp.metrics("run", time.time()))
    cases = [
        ("GET", "/api/v1/scopes/none/verdict", 404),
        ("POST", "/api/v1/scopes/none/judge", 404),
        ("GET", "/api/v1/scopes/none/series", 404),
        ("GET", "/api/v1/scopes/none/profiles", 404),
        ("GET", "/api/v1/scopes/none/recording", 404),
        ("GET", "/api/v1/profiles/99", 404),
        ("GET", "/api/v1/profiles/no", 422),
        ("GET", "/api/v1/scopes?limit=0", 422),
        ("GET", "/api/v1/scopes?cursor=%21%21", 400),
        ("GET", "/api/v1/scopes?cursor=eHg", 400),
        ("GET", "/api/v1/verdicts?verdict=Sad", 422),
        ("GET", "/api/v1/none", 404),
        ("DELETE", "/api/v1/scopes", 405),
    ]
    for method, path, status in cases:
        response = client.request(method, path)
        assert response.status_code == status, (path, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        problem = rest.Problem.model_validate_json(response.content)
        assert problem.status == status
        assert problem.detail


def test_series_whole_and_downsampled(collector: Collector) -> None:
    ended = time.time()
    fill(collector, "run", 50, ended)
    client = collector.client
    everything = rest.SeriesList.model_validate_json(client.get("/api/v1/scopes/run/series").content)
    assert {(item.metric, item.pid) for item in everything.items} >= {
        (names.MEMORY_ANON, None),
        (names.PROCESS_MEMORY_ANON, 100),
        (names.GC_COLLECTIONS, 100),
    }
    assert not everything.downsampled
    options = {"metric": names.MEMORY_ANON, "points": 10, "start": ended - 30.5}
    few = rest.SeriesList.model_validate_json(client.get("/api/v1/scopes/run/series", params=options).content)
    assert few.downsampled
    (item,) = few.items
    assert len(item.times) == len(item.values) <= 10
    assert item.times[0] == pytest.approx(ended - 30, abs=1e-3)
    assert max(item.values) == 1e8 + 49e6
    types = client.get("/api/v1/scopes/run/series", params={"metric": names.OBJECTS_COUNT, "pid": 100}).json()
    assert [one["attribute"] for one in types["items"]] == ["builtins.dict"]
    assert client.get("/api/v1/scopes/run/series", params={"pid": 5}).json()["items"] == []


def test_pages_of_scopes_and_profiles(collector: Collector) -> None:
    ended = time.time()
    for number in range(7):
        otlp.post_metrics(collector.client, otlp.metrics(f"run{number}", ended))
    fill(collector, "run0", 31, ended)
    for path, count in (("/api/v1/scopes", 7), ("/api/v1/scopes/run0/profiles", 7)):
        seen, cursor = [], None
        while True:
            page = collector.client.get(
                path, params={"limit": 3, **({"cursor": cursor} if cursor else {})}
            ).json()
            seen += [item.get("id") or item["scope"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            assert len(page["items"]) == 3
        assert len(seen) == len(set(seen)) == count
    newest = collector.client.get("/api/v1/scopes/run0/profiles").json()["items"][0]
    profile = rest.Profile.model_validate_json(
        collector.client.get(f"/api/v1/profiles/{newest['id']}").content
    )
    (stack,) = profile.stacks
    assert [tuple(frame) for frame in ((f.file, f.line, f.function) for f in stack.stack)] == list(STACK)
    assert stack.live_bytes == profile.live_bytes == 1000 + int(1e6 + 30e6)
    assert stack.ages == (1, 0, 0, 0, 0, 0, 0, 0, 0, 50)


def test_the_token(start: Any, database_url: str) -> None:
    collector = start(database_url, env={names.ENV_TOKEN: "secret-token"})
    client = collector.client
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret-token"}):
        for path in ("/api/v1/scopes", "/metrics", "/api/v1/openapi.json", "/none"):
            response = client.get(path, headers=headers)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        response = otlp.post_metrics(client, otlp.metrics("run", time.time()), **headers)
        assert response.status_code == 401
        assert response.headers["content-type"] == "application/x-protobuf"
    right = {"authorization": "Bearer secret-token"}
    assert client.get("/api/v1/scopes", headers=right).status_code == 200
    assert otlp.post_metrics(client, otlp.metrics("run", time.time()), **right).status_code == 200
    assert "secret-token" not in collector.log.read_text()


def test_own_numbers(collector: Collector) -> None:
    otlp.post_metrics(collector.client, otlp.metrics("run", time.time()))
    otlp.post_metrics(collector.client, b"\xff\xff")
    text = collector.client.get("/metrics").text
    assert 'memwarden_collector_batches_total{result="stored",signal="metrics"} 1' in text
    assert 'memwarden_collector_refused_total{door="http",reason="protobuf",status="400"} 1' in text
    assert "memwarden_collector_database_up 1" in text


def test_the_openapi_document_is_current(collector: Collector) -> None:
    from memwarden_collector.serve.openapi import openapi_text

    published = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
    assert published.read_text() == openapi_text(), (
        "run: python -m memwarden_collector.serve.openapi docs/reference/openapi.json"
    )
    assert set(collector.client.get("/api/v1/openapi.json").json()["paths"]) >= {
        "/api/v1/scopes",
        "/api/v1/verdicts",
    }


def test_a_container_says_what_pod_it_is_and_that_its_last_process_ended(collector: Collector) -> None:
    scope, at = "shop/web-1/app@3f2a9c1e-51", time.time()
    told = {names.SCOPE_KIND: "container", names.K8S_POD: "web-1", "k8s.deployment.name": "web", "other": 1}
    request = otlp.ExportMetricsServiceRequest()
    memory = [(names.MEMORY_ANON, 1e8, {}), (names.HEAP_LIVE, 1e7, {})]
    otlp.add_resource(request, otlp.scope_attributes(scope, **told), at, memory[:1])
    ended = otlp.process_attributes(scope, **told, **{names.PROCESS_ENDED: at})
    otlp.add_resource(request, ended, at, memory[1:])
    assert otlp.post_metrics(collector.client, request).status_code == 200

    page = rest.ScopePage.model_validate_json(collector.client.get("/api/v1/scopes").content)
    (found,) = page.items
    assert (found.scope, found.kind) == (scope, "container")
    assert found.attributes == {
        names.SERVICE_NAME: "app",
        names.K8S_POD: "web-1",
        "k8s.deployment.name": "web",
    }
    judged = collector.client.post(f"/api/v1/scopes/{scope}/judge")
    verdict = report.Verdict.model_validate_json(judged.content)
    assert verdict.processes[0].ended_at is not None
