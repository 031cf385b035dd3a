"""The OpenTelemetry Collector, built from its Go module, as a client: its exporters over gRPC and HTTP.

It has no queue here: what is sent to it is answered once its exporter has been answered by us.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import collector_requests as otlp
import httpx
import psycopg
import pytest
from collector_processes import Collector, Server
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from memwarden.run.port import ReservedPort
from memwarden_api import names

pytestmark = pytest.mark.system

SOURCE = Path(__file__).parent / "opentelemetry_collector"
CACHE = Path(__file__).parents[2] / "test-output"
TOKEN = "a.token"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
SECONDS = 90
BUILD_SECONDS = 540
WAYS = {
    "grpc-gzip": ("otlp_grpc", {"compression": "gzip"}),
    "grpc-none": ("otlp_grpc", {"compression": "none"}),
    "http-gzip": ("otlp_http", {"compression": "gzip"}),
    "http-none": ("otlp_http", {"compression": "none"}),
    "http-zstd": ("otlp_http", {"compression": "zstd"}),
    "http-deflate": ("otlp_http", {"compression": "deflate"}),
    "json-zstd": ("otlp_http", {"compression": "zstd", "encoding": "json"}),
    "json-none": ("otlp_http", {"compression": "none", "encoding": "json"}),
}


@pytest.fixture(scope="session")
def program() -> Path:
    """Built once for each state of its source."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: the OpenTelemetry Collector can't be built")
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(SOURCE.iterdir()))).hexdigest()
    built = CACHE / f"otelcol-{digest[:16]}"
    if not built.exists():
        CACHE.mkdir(exist_ok=True)
        partial = built.with_suffix(f".{os.getpid()}")
        command = [go, "build", "-mod=readonly", "-p", "2", "-o", partial, "."]
        made = subprocess.run(
            command, cwd=SOURCE, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
        assert made.returncode == 0, made.stderr
        partial.replace(built)
    return built


class Sender:
    """A running OpenTelemetry Collector: `ways[name]` is a client of the receiver that sends on in that way."""

    def __init__(self, program: Path, folder: Path, collector: Collector, *ways: str) -> None:
        self._doors = {name: ReservedPort() for name in ways}
        endpoints = {"otlp_grpc": collector.grpc_address(), "otlp_http": collector.url}
        exporters = {
            f"{WAYS[name][0]}/{name}": {
                "endpoint": endpoints[WAYS[name][0]],
                "headers": HEADERS,
                "tls": {"insecure": True},
                "timeout": "60s",
                "sending_queue": {"enabled": False},
                "retry_on_failure": {"initial_interval": "200ms", "max_interval": "1s"},
                **WAYS[name][1],
            }
            for name in ways
        }
        config = {
            "receivers": {
                f"otlp/{name}": {"protocols": {"http": {"endpoint": door.address}}}
                for name, door in self._doors.items()
            },
            "exporters": exporters,
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {
                    f"{signal}/{name}": {
                        "receivers": [f"otlp/{name}"],
                        "exporters": [f"{WAYS[name][0]}/{name}"],
                    }
                    for name in ways
                    for signal in ("metrics", "logs", "profiles")
                },
            },
        }
        file, self.log = folder / "otelcol.json", folder / "otelcol.log"
        file.write_text(json.dumps(config))  # JSON is YAML
        with self.log.open("wb") as log:
            gates = ("--feature-gates", "service.profilesSupport")
            self.process = subprocess.Popen([program, "--config", file, *gates], stderr=log, stdout=log)
        self.ways = {
            name: httpx.Client(base_url=f"http://{door.address}", timeout=SECONDS, trust_env=False)
            for name, door in self._doors.items()
        }
        until = time.monotonic() + SECONDS
        while "Everything is ready" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    def send(self, way: str, path: str, message: Message) -> httpx.Response:
        return self.ways[way].post(path, content=message.SerializeToString(), headers=otlp.PROTOBUF)

    def stop(self) -> None:
        for client in self.ways.values():
            client.close()
        self.process.kill()
        self.process.wait(60)
        for door in self._doors.values():
            door.close()


Begin = Callable[..., tuple[Collector, Sender]]


@pytest.fixture
def begin(program: Path, start: Any, database_url: str, tmp_path: Path) -> Iterator[Begin]:
    senders = []

    def both(ways: tuple[str, ...], *options: str) -> tuple[Collector, Sender]:
        env = {"MEMWARDEN_TOKEN": TOKEN}
        collector = start(database_url, "--grpc-listen", "127.0.0.1:0", *options, env=env)
        senders.append(Sender(program, tmp_path, collector, *ways))
        return collector, senders[-1]

    yield both
    for sender in senders:
        sender.stop()


def own_numbers(collector: Collector) -> str:
    return collector.client.get("/metrics", headers=HEADERS).text


def everything(scope: str, at: float) -> Any:
    """A tick of ours, and each kind of metric."""
    request = otlp.metrics(scope, at)
    metrics, nano = request.resource_metrics[0].scope_metrics[0].metrics, round(at * 1e9)
    metrics.add(name="h").histogram.data_points.add(
        time_unix_nano=nano, count=3, sum=4, explicit_bounds=[1.0], bucket_counts=[1, 2]
    )
    metrics.add(name="e").exponential_histogram.data_points.add(
        time_unix_nano=nano, count=2, scale=-3, zero_count=2
    )
    metrics.add(name="s").summary.data_points.add(time_unix_nano=nano, count=1).quantile_values.add(
        quantile=0.5, value=2
    )
    return request


def test_every_way_and_every_signal(begin: Begin, rows: Any) -> None:
    collector, sender = begin(tuple(WAYS))
    at = time.time()
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1).body.string_value = "é"
    in_scope = " join resource using (resource_id) join scope using (scope_id) where name = %s"
    for way in WAYS:
        assert sender.send(way, names.METRICS_PATH, everything(way, at)).status_code == 200, way
        stack = (("/app/é.py", 10, "grow"), ("/app/b.py", 20, "main"))
        cells = otlp.profiles(way, at, [(stack, "1", 100, 10, 2), (stack[1:], "inf", 1 << 40, 2, 1)])
        assert sender.send(way, names.PROFILES_PATH, cells).status_code == 200, way
        assert sender.send(way, names.LOGS_PATH, logs).status_code == 200, way
        assert rows(f"select count(*) from mem_sample{in_scope}", way) == [(2,)], way
        assert rows(f"select count(*) from sample join series using (series_id){in_scope}", way) == [(4,)], (
            way
        )
        kinds = rows(
            "select metric, count, sum, scale, quantiles from distribution join series using (series_id)"
            f"{in_scope} order by metric",
            way,
        )
        assert kinds == [("e", 2, None, -3, None), ("h", 3, 4.0, None, None), ("s", 1, 0.0, None, [2.0])], way
        profile = rows(f"select ages, live_bytes, blocks, samples from profile{in_scope}", way)
        assert profile == [([0, 9], [100, 1 << 40], [10, 2], [2, 1])], way
    assert rows("select count(*) from stack") == [(2,)]
    text = own_numbers(collector)
    assert f'rejected_total{{reason="not_stored",signal="logs"}} {len(WAYS)}' in text
    assert "refused_total{" not in text


@pytest.mark.parametrize("way", ["grpc-gzip", "http-zstd"])
def test_it_comes_again_when_the_database_is_back(
    begin: Begin, database_url: str, server: Server, way: str
) -> None:
    collector, sender = begin((way,))
    server.stop()
    try:
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(sender.send, way, names.METRICS_PATH, otlp.metrics("run", time.time()))
            until = time.monotonic() + SECONDS
            while 'status="503"' not in own_numbers(collector):
                assert time.monotonic() < until
                time.sleep(0.05)
            server.start()
            assert sent.result(SECONDS).status_code == 200
    finally:
        if server.process is None:
            server.start()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from memwarden.mem_sample").fetchall() == [(2,)]


@pytest.mark.parametrize("way", ["grpc-gzip", "http-zstd"])
def test_it_waits_when_its_quota_is_used_up(begin: Begin, rows: Any, way: str) -> None:
    # A request is six rows: of four at once the third finds nothing left, and waits for it.
    collector, sender = begin((way,), "--max-points-per-second", "2", "--quota-burst-seconds", "4.5")
    at = time.time()
    with ThreadPoolExecutor(4) as pool:
        ticks = [otlp.metrics("run", at + tick) for tick in range(4)]
        for answer in pool.map(lambda tick: sender.send(way, names.METRICS_PATH, tick), ticks):
            assert answer.status_code == 200, answer.content
    assert rows("select count(*) from mem_sample") == [(8,)]
    assert 'reason="quota",status="429"' in own_numbers(collector)


@pytest.mark.parametrize("way", ["grpc-gzip", "http-zstd"])
def test_it_gives_up_what_is_too_large_or_bad(begin: Begin, way: str) -> None:
    collector, sender = begin((way,), "--max-inflated-bytes", "1000")
    answer = sender.send(way, names.METRICS_PATH, everything("run", time.time()))
    assert answer.status_code >= 400
    assert "max_inflated_bytes=1000" in answer.text
    found = [
        line for line in own_numbers(collector).splitlines() if line.startswith("memwarden_collector_refused")
    ]
    assert len(found) == 1
    assert 'reason="inflated_bytes",status="413"' in found[0]
    assert found[0].endswith(" 1"), "it was not tried again"
