"""Who is asked how it is: alive, started, ready; and what of it is not well."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from collector_processes import Collector

from memwarden_collector.store.migrate import load_migrations

PATIENCE = 120.0


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < until, what
        time.sleep(0.05)
    return value


def test_all_is_well_and_every_dependency_is_named(collector: Collector, rows: Any) -> None:
    client = collector.client
    wait_for(lambda: client.get("/startupz").status_code == 200, "the start")
    wait_for(lambda: client.get("/readyz").json()["analysis"]["status"] == "ok", "the analysis to begin")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    states = answer.json()
    known = len(load_migrations())
    assert states["database"]["status"] == states["interface"]["status"] == "ok"
    assert states["migrations"] == {"status": "ok", "detail": "", "applied": known, "known": known}
    assert "snapshots" not in states  # no folder
    alive = client.get("/healthz").json()
    assert alive["status"] == "ok"
    assert alive["database"]["status"] == "ok"
    rows("insert into migration (number, name, checksum) values (999, 'future', '') returning 1")
    wait_for(lambda: client.get("/readyz").json()["migrations"]["status"] == "other", "the other schema")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert "migration 999" in answer.json()["migrations"]["detail"]


def test_an_interface_that_can_not_be_loaded_is_not_ready_and_data_is_taken(
    start: Any, database_url: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "fastapi.py").write_text("raise ImportError('no such thing here')")
    collector = start(database_url, env={"PYTHONPATH": str(broken)})
    client: httpx.Client = collector.client
    wait_for(lambda: client.get("/readyz").status_code == 503, "the failure to be seen")
    states = client.get("/readyz").json()
    assert states["interface"]["status"] == "failed"
    assert "no such thing here" in states["interface"]["detail"]
    assert states["database"]["status"] == "ok"
    assert client.get("/startupz").status_code == 503
    assert client.get("/healthz").status_code == 200
    answer = client.get("/api/v1/scopes")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/readyz" in answer.json()["detail"]
    json = {"content-type": "application/json"}
    assert client.post("/v1/metrics", content=b"{}", headers=json).status_code == 200
    assert collector.stop() == 0
    assert collector.log.read_text().count("Traceback") == 1  # said once
