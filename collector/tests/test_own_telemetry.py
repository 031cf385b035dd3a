"""The collector's own metrics and traces reach a receiver; one that is away costs nothing; slow queries are told."""

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import collector_requests as otlp
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from memwarden.run.port import ReservedPort
from memwarden_collector.telemetry_export import leads_to

SECONDS = 90
OFTEN = {"OTEL_METRIC_EXPORT_INTERVAL": "300", "OTEL_BSP_SCHEDULE_DELAY": "200"}


class Receiver:
    """Takes OTLP over HTTP and keeps what it understands."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.resources: list[dict[str, str]] = []
        self.spans: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.take(self.path, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            for traced in traces.resource_spans:
                self.spans |= {span.name for scope in traced.scope_spans for span in scope.spans}
            return
        for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self.resources.append({one.key: one.value.string_value for one in measured.resource.attributes})
            for scope in measured.scope_metrics:
                for metric in scope.metrics:
                    points = metric.sum.data_points or metric.gauge.data_points
                    self.metrics[metric.name] = sum(one.as_int or one.as_double for one in points)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def wait_for(what: Any) -> None:
    until = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_metrics_and_spans_reach_a_receiver(receiver: Receiver, start: Any, database_url: str) -> None:
    environment = {**OFTEN, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_RESOURCE_ATTRIBUTES": "team=a"}
    collector = start(database_url, env=environment)
    for number in range(3):
        otlp.post_metrics(collector.client, otlp.metrics("run", time.time() + number))
    wait_for(lambda: receiver.metrics.get("memwarden.collector.batches") == 3)
    # Metrics are counted from the start, spans from when the SDK is there, which is a moment later.
    otlp.post_metrics(collector.client, otlp.metrics("run", time.time() + 3))
    judged = collector.client.post("/api/v1/scopes/run/judge", timeout=SECONDS)
    assert judged.status_code == 200, judged.text
    wait_for(lambda: {"store metrics", "commit", "judge"} <= receiver.spans)
    assert receiver.metrics["memwarden.collector.database_up"] == 1
    assert receiver.metrics["process.memory.usage"] > 1 << 24
    resource = receiver.resources[-1]
    assert resource["service.name"] == "memwarden-collector"
    assert resource["team"] == "a"
    assert collector.stop() == 0
    assert "Traceback" not in collector.log.read_text()


def test_a_second_collector_takes_the_metrics_of_the_first(start: Any, database_url: str, rows: Any) -> None:
    taker = start(database_url)
    environment = {**OFTEN, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{taker.url}/v1/metrics"}
    start(database_url, env=environment)
    wait_for(
        lambda: (
            rows(
                "select count(*) from sample join series using (series_id) join resource using (resource_id)"
                " join scope using (scope_id) where starts_with(scope.name, 'service:memwarden-collector@')"
                " and metric = 'process.memory.usage'"
            )[0][0]
            > 1
        )
    )


@pytest.fixture
def nobodys() -> Iterator[ReservedPort]:
    """Nobody listens there, and nobody else will."""
    reserved = ReservedPort()
    yield reserved
    reserved.close()


def test_a_receiver_that_is_away_is_said_once_and_costs_no_answer(
    start: Any, database_url: str, nobodys: ReservedPort
) -> None:
    away = f"http://{nobodys.address}"
    environment = {**OFTEN, "OTEL_EXPORTER_OTLP_ENDPOINT": away, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    collector = start(database_url, env=environment)

    def said() -> int:
        return collector.log.read_text().count("own telemetry: ")

    wait_for(said)
    for number in range(20):
        assert (
            otlp.post_metrics(collector.client, otlp.metrics("run", time.time() + number)).status_code == 200
        )
        time.sleep(0.1)
    assert said() <= 4, collector.log.read_text()  # each part of the SDK once
    assert collector.stop() == 0
    assert "Traceback" not in collector.log.read_text()


def test_nothing_is_sent_to_its_own_doors(start: Any, database_url: str, nobodys: ReservedPort) -> None:
    own = nobodys.address.replace("127.0.0.1", "localhost")
    environment = {**OFTEN, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{own}"}
    collector = start(database_url, "--listen", nobodys.address, env=environment)
    wait_for(lambda: collector.log.read_text().count("leads to this collector itself") == 2)
    assert collector.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("target", "leads"),
    [
        ("http://127.0.0.1:4318", True),
        ("http://127.0.0.1:4319", False),
        ("http://localhost:4318/v1/metrics", True),
        ("http://192.0.2.1:4318", False),
        ("http://no-such-host.invalid:4318", False),
        ("nonsense", False),
    ],
)
def test_what_leads_to_ourselves(target: str, leads: bool) -> None:
    assert leads_to(target, ("127.0.0.1", 4318)) is leads


def test_nothing_is_imported_that_nobody_asked_for() -> None:
    code = "import memwarden_collector.app, sys; print([n for n in sys.modules if n.startswith('opentelemetry.sdk')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_slow_query_is_told_with_its_plan_and_without_its_parameters(start: Any, database_url: str) -> None:
    collector = start(database_url, "--slow-query-seconds", "0.000001")
    secret = "run-with-a-secret-name"
    otlp.post_metrics(collector.client, otlp.metrics(secret, time.time()))
    for _ in range(5):
        assert collector.client.get(f"/api/v1/scopes/{secret}/series").status_code == 200
    log = collector.log.read_text()
    told = [line for line in log.splitlines() if "over slow_query_seconds=" in line]
    assert 1 <= len(told) <= 6, log  # as many as in a minute
    assert any("Scan" in line and "cost=" in line for line in log.splitlines()), log
    assert secret not in log
    counted = collector.client.get("/metrics").text
    assert int(counted.split("\nmemwarden_collector_slow_queries_total ")[1].split()[0]) > len(told)
    assert collector.client.get(f"/api/v1/scopes/{secret}/series").status_code == 200
    assert collector.stop() == 0
    assert "Traceback" not in collector.log.read_text()
