"""Thousands of requests that are almost right, at each door: always an answer of the protocol, never a fault of ours,
no row that PostgreSQL would refuse, and memory that stays.
"""

import http.client
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import collector_requests as otlp
import grpc
import pytest
from collector_processes import Collector
from mutation import Mutator

from memwarden_collector.otlp.signals import DOORS
from memwarden_collector.otlp.status import Status

THREADS = 4
SECONDS = 60
HTTP_ANSWERS = {200, 400, 413, 415}
GRPC_ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # too large
}
# What is tried is whether anything breaks: nobody shall be told to wait.
OPTIONS = (
    *("--max-scope-points-per-second", "0", "--max-scope-new-series", "0", "--max-scope-new-resources", "0"),
    *("--commit-seconds", "60"),
)
MAX_GROWTH_BYTES = 96 << 20
"""Names that were made up fill the caches of names, which are bounded; more than this is something else."""


class HttpClient:
    """One connection that is kept."""

    def __init__(self, collector: Collector, mutator: Mutator) -> None:
        address = urlsplit(collector.url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS)
        self._mutator = mutator

    def send(self, number: int) -> object:
        mutant = self._mutator.over_http(number)
        self._connection.request("POST", mutant.path, mutant.body, mutant.headers)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status in HTTP_ANSWERS, (number, response.status, body)
        if response.status != 200 and response.headers["content-type"] == "application/x-protobuf":
            status: Any = Status.FromString(body)
            assert status.code, (number, body)
            assert status.message, (number, body)
        return response.status

    def close(self) -> None:
        self._connection.close()


class GrpcClient:
    def __init__(self, collector: Collector, mutator: Mutator) -> None:
        self._channel = grpc.insecure_channel(collector.grpc_address())
        self._calls = {
            path: self._channel.unary_unary(f"/{door.service}/Export") for path, door in DOORS.items()
        }
        self._mutator = mutator

    def send(self, number: int) -> object:
        path, body = self._mutator.over_grpc(number)
        try:
            self._calls[path](body, timeout=SECONDS)
        except grpc.RpcError as error:
            refused: Any = error
        else:
            return grpc.StatusCode.OK
        assert refused.code() in GRPC_ANSWERS, (number, refused)
        return refused.code()

    def close(self) -> None:
        self._channel.close()


Client = Callable[[Collector, Mutator], HttpClient | GrpcClient]
CLIENTS: dict[str, Client] = {"http": HttpClient, "grpc": GrpcClient}


def send_all(collector: Collector, client: Client, mutator: Mutator, numbers: range) -> Counter[object]:
    def some(part: int) -> Counter[object]:
        sender = client(collector, mutator)
        try:
            return Counter(sender.send(number) for number in numbers[part::THREADS])
        finally:
            sender.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(some, range(THREADS)), Counter())


def fuzz(
    start: Any, database_url: str, folder: Path, door: str, seed: int, count: int
) -> tuple[Counter[object], int]:
    """What was answered how often, and how much memory grew by the second half."""
    collector = start(
        database_url, "--grpc-listen", "127.0.0.1:0", "--snapshot-folder", str(folder), *OPTIONS
    )
    mutator = Mutator(seed)
    answers = send_all(collector, CLIENTS[door], mutator, range(count // 2))
    half = collector.memory()
    answers += send_all(collector, CLIENTS[door], mutator, range(count // 2, count))
    growth = collector.memory() - half
    assert otlp.post_metrics(collector.client, otlp.metrics("after", time.time())).status_code == 200
    # Each request gives back what it held, the last one a moment after its answer.
    until = time.monotonic() + SECONDS
    while "memwarden_collector_inflight_bytes 0\n" not in (text := collector.client.get("/metrics").text):
        assert time.monotonic() < until, text
        time.sleep(0.05)
    assert 'reason="data"' not in text, "PostgreSQL refused what the doors had let through"
    assert collector.stop() == 0
    log = collector.log.read_text()
    assert "Traceback" not in log, log[-5000:]
    return answers, growth


@pytest.mark.system
@pytest.mark.parametrize(("door", "count"), [("http", 3000), ("grpc", 2500)])
def test_requests_that_are_almost_right(
    start: Any, database_url: str, tmp_path: Path, door: str, count: int
) -> None:
    answers, growth = fuzz(start, database_url, tmp_path / "snapshots", door, 1, count)
    assert len(answers) >= 2, answers
    assert growth < MAX_GROWTH_BYTES


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("door", ["http", "grpc"])
def test_a_night_of_them(
    start: Any, database_url: str, tmp_path: Path, door: str, record_property: Any
) -> None:
    seed = int(time.time())
    record_property("seed", seed)
    answers, growth = fuzz(start, database_url, tmp_path / "snapshots", door, seed, count=200_000)
    record_property("answers", ", ".join(f"{answer}: {count}" for answer, count in answers.most_common()))
    record_property("growth MiB", growth >> 20)
    assert growth < MAX_GROWTH_BYTES
