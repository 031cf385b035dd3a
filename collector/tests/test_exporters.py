"""The OpenTelemetry SDK of Python, as it is, with its exporters over HTTP and gRPC, as a client of the doors."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from collector_processes import Collector, Server

TOKEN = "a.token"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
SECONDS = 90


@pytest.fixture
def guarded(start: Any, database_url: str) -> Collector:
    collector: Collector = start(database_url, "--grpc-listen", "127.0.0.1:0", env={"MEMWARDEN_TOKEN": TOKEN})
    return collector


def client(
    collector: Collector,
    signal: str,
    door: str,
    compression: str = "none",
    temporality: str = "cumulative",
    token: str = TOKEN,
) -> subprocess.Popen[str]:
    address = collector.url if door == "http" else collector.grpc_address()
    script = Path(__file__).with_name("sdk_client.py")
    return subprocess.Popen(
        [sys.executable, script, signal, door, address, compression, temporality],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MEMWARDEN_TOKEN": token, "CLIENT_HOST": f"{door}-{compression}"},
    )


def said(app: subprocess.Popen[str]) -> str:
    """What it warned of, once it has ended."""
    try:
        _, text = app.communicate(timeout=SECONDS)
    finally:
        app.kill()
        app.wait(60)
    assert app.returncode == 0, text
    return text


def own_numbers(collector: Collector) -> str:
    return collector.client.get("/metrics", headers=HEADERS).text


def test_all_instruments_arrive(guarded: Collector, rows: Any) -> None:
    ways = [
        ("http", "none", "cumulative"),
        ("http", "gzip", "delta"),
        ("http", "deflate", "delta"),
        ("grpc", "none", "cumulative"),
        ("grpc", "gzip", "delta"),
    ]
    assert [said(app) for app in [client(guarded, "metrics", *way) for way in ways]] == [""] * len(ways)
    in_scope = " join resource using (resource_id) join scope using (scope_id) where name = %s"
    for door, compression, temporality in ways:
        scope = f"service:checkout@{door}-{compression}"
        assert rows(
            "select metric, series.kind, temporality, monotonic, value from sample join series using (series_id)"
            f"{in_scope} order by metric, value",
            scope,
        ) == [
            ("heap", "gauge", "", False, 2.5),
            ("heap", "gauge", "", False, 3.0),
            ("level", "gauge", "", False, 1e-300),
            ("live", "sum", "cumulative", False, -3.0),
            ("requests", "sum", temporality, True, 7.0),
        ], scope
        explicit, exponential = rows(
            "select metric, series.kind, temporality, count, sum, min, max, zero_count, cardinality(buckets),"
            " cardinality(bounds) from distribution join series using (series_id)"
            f" join distribution_bounds using (bounds_id) {in_scope} order by metric",
            scope,
        )
        assert explicit == ("latency", "histogram", temporality, 3, 74.0, 0.0, 70.0, None, 16, 15)
        assert exponential[:8] == ("pause", "exponential_histogram", temporality, 3, 74.0, 0.0, 70.0, 1)
    attributes = {"path": "/é", "codes": [200, 500]}
    assert rows("select attrs from series where metric = 'requests'") == [(attributes,)] * len(ways)


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_they_come_again_after_a_database_was_away(
    guarded: Collector, database_url: str, server: Server, door: str
) -> None:
    server.stop()
    try:
        app = client(guarded, "metrics", door)
        until = time.monotonic() + SECONDS
        while 'status="503"' not in own_numbers(guarded):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        server.start()
    warnings = said(app).splitlines()
    assert warnings, "it was refused"
    assert all("retrying in" in line for line in warnings), warnings
    with psycopg.connect(database_url) as connection:
        query = "select value from memwarden.sample join memwarden.series using (series_id) where metric = 'requests'"
        assert connection.execute(query).fetchall() == [(7.0,)]


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_logs_are_answered_so_that_nobody_tries_again(guarded: Collector, door: str) -> None:
    assert "retrying" not in said(client(guarded, "logs", door, "gzip"))
    rejected = 'memwarden_collector_rejected_total{reason="not_stored",signal="logs"} 1'
    assert rejected in own_numbers(guarded)


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_a_wrong_token_is_not_tried_again(guarded: Collector, door: str) -> None:
    text = said(client(guarded, "metrics", door, token="another"))
    assert "retrying" not in text
    assert "401" in text or "UNAUTHENTICATED" in text
    assert f'refused_total{{door="{door}",reason="token",status="401"}} 1' in own_numbers(guarded)
