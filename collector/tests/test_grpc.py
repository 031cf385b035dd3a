"""OTLP over gRPC: the same requests, limits and answers as over HTTP."""

import gzip
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import collector_requests as otlp
import grpc
import psycopg
import pytest
from collector_processes import Collector, Server
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2_grpc import ProfilesServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from memwarden_api import names

SECONDS = 60
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
Opened = Callable[..., tuple[Collector, grpc.Channel]]


@pytest.fixture
def opened(start: Any, database_url: str) -> Iterator[Opened]:
    """Starts a collector with a gRPC door, and a channel to it."""
    channels: list[grpc.Channel] = []

    def begin(*options: str, env: dict[str, str] | None = None) -> tuple[Collector, grpc.Channel]:
        collector = start(database_url, "--grpc-listen", "127.0.0.1:0", *options, env=env)
        channels.append(grpc.insecure_channel(collector.grpc_address()))
        return collector, channels[-1]

    yield begin
    for channel in channels:
        channel.close()


def send_bytes(channel: grpc.Channel, body: bytes, **more: Any) -> Any:
    return channel.unary_unary(EXPORT)(body, timeout=SECONDS, **more)


def attempt(call: Callable[[], object]) -> grpc.StatusCode:
    try:
        call()
    except grpc.RpcError as error:
        return error.code()  # type: ignore[attr-defined, no-any-return]
    return grpc.StatusCode.OK


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str, float | None]:
    """Code, message, and the seconds of its RetryInfo."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    details = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    retry = None
    if details is not None:
        status = status_pb2.Status.FromString(details)
        assert (status.code, status.message) == (error.code().value[0], error.details())
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
            bad = error_details_pb2.BadRequest()
            assert status.details[0].Unpack(bad)
            assert bad.field_violations[0].description == error.details()
            return error.code(), error.details(), None
        for detail in status.details:
            info = error_details_pb2.RetryInfo()
            assert detail.Unpack(info)
            retry = info.retry_delay.ToTimedelta().total_seconds()
    return error.code(), error.details(), retry


def test_every_signal_and_compression(opened: Opened, rows: Any) -> None:
    collector, channel = opened()
    message = otlp.metrics("run", time.time())
    metrics = MetricsServiceStub(channel)
    for compression in (None, grpc.Compression.Gzip, grpc.Compression.Deflate):
        answer = metrics.Export(message, timeout=SECONDS, compression=compression)
        assert answer.SerializeToString() == b""
    assert otlp.post_metrics(collector.client, message).status_code == 200  # by another door: the same batch
    counts = (
        "select (select count(*) from mem_sample), (select count(*) from sample), count(*) from ingest_batch"
    )
    assert rows(counts) == [(2, 4, 1)]
    stack = (("/app/a.py", 10, "grow"),)
    cells = otlp.profiles("run", time.time(), [(stack, "1", 100, 10, 2)])
    assert ProfilesServiceStub(channel).Export(cells, timeout=SECONDS).SerializeToString() == b""
    assert rows("select live_bytes from profile") == [([100],)]
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add()
    answer = LogsServiceStub(channel).Export(logs, timeout=SECONDS)
    assert answer.partial_success.rejected_log_records == 1
    spans = TraceServiceStub(channel)
    code, _, _ = refusal(lambda: spans.Export(ExportTraceServiceRequest(), timeout=SECONDS))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert collector.stop() == 0


def test_a_batch_id_counts_once_and_partial_success_has_its_reason(opened: Opened, rows: Any) -> None:
    _, channel = opened()
    metrics = MetricsServiceStub(channel)
    key = ((names.BATCH_ID_HEADER, otlp.batch_id()),)
    for anon in (1e8, 2e8):
        metrics.Export(otlp.metrics("run", time.time(), anon), timeout=SECONDS, metadata=key)
    assert rows("select count(*) from ingest_batch") == [(1,)]
    bad = ((names.BATCH_ID_HEADER, "no-uuid"),)
    code, text, retry = refusal(
        lambda: metrics.Export(otlp.metrics("run", time.time()), timeout=SECONDS, metadata=bad)
    )
    assert (code, retry) == (grpc.StatusCode.INVALID_ARGUMENT, None)
    assert "memwarden-batch-id" in text
    message = ExportMetricsServiceRequest()
    otlp.add_resource(message, otlp.scope_attributes("run"), 5, [("old", 1.0, {})])
    answer = metrics.Export(message, timeout=SECONDS).partial_success
    assert (answer.rejected_data_points, "max_sample_age_seconds" in answer.error_message) == (1, True)


def test_bad_and_too_large_are_not_to_come_again(opened: Opened) -> None:
    collector, channel = opened("--max-request-bytes", "100000", "--max-inflated-bytes", "3000000")
    gzipped = grpc.Compression.Gzip
    noise = b"".join(random.Random(block).randbytes(20) + bytes(1000) for block in range(3000))
    cases = [
        (b"\xff" * 50, None, grpc.StatusCode.INVALID_ARGUMENT, "ExportMetricsServiceRequest"),
        (b"\x1f\x8bno gzip", None, grpc.StatusCode.INVALID_ARGUMENT, "not gzip"),
        (b"x" * 150_000, None, grpc.StatusCode.RESOURCE_EXHAUSTED, "max_request_bytes=100000"),
        (b"x" * 900_000, None, grpc.StatusCode.RESOURCE_EXHAUSTED, "200000"),  # gRPC's own words
        (bytes(2_900_000), gzipped, grpc.StatusCode.RESOURCE_EXHAUSTED, "max_inflate_ratio=200"),
        (noise, gzipped, grpc.StatusCode.RESOURCE_EXHAUSTED, "max_inflated_bytes=3000000"),
    ]
    for body, compression, code, words in cases:
        found = refusal(lambda: send_bytes(channel, body, compression=compression))  # noqa: B023 - called at once
        assert (found[0], found[2]) == (code, None), found
        assert words in found[1]
    assert send_bytes(channel, gzip.compress(otlp.metrics("run", time.time()).SerializeToString())) == b""
    text = collector.client.get("/metrics").text
    assert 'refused_total{door="grpc",limit="max_request_bytes",reason="request_bytes",status="413"' in text


def test_overload_and_quota_say_when_to_come_again(opened: Opened) -> None:
    _, channel = opened("--max-inflight-bytes", "2000")
    code, text, retry = refusal(lambda: send_bytes(channel, b"x" * 3000))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert "max_inflight_bytes=2000" in text
    assert retry is not None
    assert 1 <= retry <= 30
    _, channel = opened("--max-points-per-second", "0.0001")
    metrics = MetricsServiceStub(channel)
    metrics.Export(otlp.metrics("run", time.time()), timeout=SECONDS)
    code, text, retry = refusal(lambda: metrics.Export(otlp.metrics("run", time.time()), timeout=SECONDS))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "max_points_per_second=0.0001" in text
    assert retry is not None
    assert 1 <= retry <= 30


def test_more_calls_than_streams_wait_for_one_another(opened: Opened) -> None:
    """A client that keeps to the streams of a connection is never refused for their number."""
    _, channel = opened()
    bodies = [otlp.metrics("run", time.time() - number).SerializeToString() for number in range(50)]
    calls = [channel.unary_unary(EXPORT).future(bodies[n % 50], timeout=SECONDS) for n in range(600)]
    assert {call.code() for call in calls} == {grpc.StatusCode.OK}


def test_too_many_calls_at_once_are_told_when_to_come_again(opened: Opened, database_url: str) -> None:
    collector, channel = opened("--max-grpc-calls", "3")
    with psycopg.connect(database_url) as held:
        held.execute("lock table memwarden.ingest_batch in exclusive mode")
        calls = [
            channel.unary_unary(EXPORT).future(
                otlp.metrics("run", time.time() - number).SerializeToString(), timeout=SECONDS
            )
            for number in range(8)
        ]
        until = time.monotonic() + SECONDS
        while sum(call.done() for call in calls) < 5:
            assert time.monotonic() < until
            time.sleep(0.02)
        for call in calls:
            if call.done():
                code, text, retry = refusal(call.result)
                assert (code, retry is not None and 1 <= retry <= 30) == (grpc.StatusCode.UNAVAILABLE, True)
                assert "max_grpc_calls=3" in text
    assert sum(call.code() is grpc.StatusCode.OK for call in calls) == 3
    assert 'limit="max_grpc_calls"' in collector.client.get("/metrics").text


def test_a_database_that_is_away_is_unavailable(opened: Opened, server: Server, rows: Any) -> None:
    _, channel = opened()
    metrics = MetricsServiceStub(channel)
    message = otlp.metrics("run", time.time())
    metrics.Export(message, timeout=SECONDS)
    server.stop()
    try:
        later = otlp.metrics("run", time.time() + 1)
        code, text, retry = refusal(lambda: metrics.Export(later, timeout=SECONDS))
        assert code is grpc.StatusCode.UNAVAILABLE, text
        assert retry is not None
    finally:
        server.start()
    until = time.monotonic() + SECONDS
    while (found := attempt(lambda: metrics.Export(later, timeout=SECONDS))) is not grpc.StatusCode.OK:
        assert found is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_token_guards_this_door_too(opened: Opened) -> None:
    _, channel = opened(env={"MEMWARDEN_TOKEN": "secret"})
    for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", "secret"),)):
        code, text, retry = refusal(lambda: send_bytes(channel, b"", metadata=metadata))  # noqa: B023 - called at once
        assert (code, retry) == (grpc.StatusCode.UNAUTHENTICATED, None)
        assert "MEMWARDEN_TOKEN" in text
    assert send_bytes(channel, b"", metadata=(("authorization", "Bearer secret"),)) == b""


def test_a_taken_port_is_said(opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AssertionError) as caught:
        opened("--grpc-listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert re.search(r"can't listen on 127\.0\.0\.1:\d+ for gRPC.*--grpc-listen", str(caught.value))


def test_without_grpc_nothing_of_it_is_loaded(collector: Collector) -> None:
    with open(f"/proc/{collector.process.pid}/maps") as maps:
        assert "cygrpc" not in maps.read()


def test_clients_that_go_away_leave_nothing_behind(opened: Opened) -> None:
    collector, channel = opened()
    message = otlp.metrics("run", time.time())
    for number in range(20_000):
        message.resource_metrics[0].resource.attributes.add(key=f"key{number}").value.string_value = "x" * 100
    body = gzip.compress(message.SerializeToString(), 1)
    calls = [
        channel.unary_unary(EXPORT).future(body, timeout=0.001 * (number % 50), wait_for_ready=True)
        for number in range(200)
    ]
    codes = {call.code() for call in calls}
    assert grpc.StatusCode.DEADLINE_EXCEEDED in codes
    until = time.monotonic() + SECONDS
    while "memwarden_collector_inflight_bytes 0\n" not in collector.client.get("/metrics").text:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert send_bytes(channel, otlp.metrics("run", time.time()).SerializeToString()) == b""
    assert collector.stop() == 0
    assert "Traceback" not in collector.log.read_text()


def test_what_was_acknowledged_before_a_signal_is_stored(opened: Opened, rows: Any) -> None:
    collector, channel = opened()
    metrics = MetricsServiceStub(channel)

    def send(number: int) -> int:
        """How many were acknowledged until the door closed."""
        for sent in range(10_000):
            message = otlp.metrics(f"run{number}", time.time(), pid=number)
            if attempt(lambda: metrics.Export(message, timeout=SECONDS)) is not grpc.StatusCode.OK:  # noqa: B023 - called at once
                return sent
        raise AssertionError("the door never closed")

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send, number) for number in range(4)]
        until = time.monotonic() + SECONDS
        while rows("select count(*) from ingest_batch")[0][0] < 20:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert collector.stop() == 0
        acknowledged = sum(sender.result(SECONDS) for sender in senders)
    stored = rows("select count(*) from ingest_batch")[0][0]
    assert acknowledged <= stored <= acknowledged + 4  # of the last of each the answer may have been lost


def test_streams_that_are_reset_by_the_thousand_do_not_end_it(opened: Opened) -> None:
    _, channel = opened()
    message = otlp.metrics("run", time.time()).SerializeToString()
    export = channel.unary_unary(EXPORT)
    for _ in range(20):
        for call in [export.future(message, timeout=SECONDS) for _ in range(100)]:
            call.cancel()
    until = time.monotonic() + SECONDS
    while attempt(lambda: send_bytes(channel, message)) is not grpc.StatusCode.OK:
        # gRPC itself refuses some while a thousand of them are not yet forgotten.
        assert time.monotonic() < until
