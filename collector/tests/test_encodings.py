"""The same request in every encoding and compression, and what pretends to be smaller than it is."""

import base64
import gzip
import json
import math
import random
import time
import zlib
from collections.abc import Callable
from typing import Any

import collector_requests as otlp
import httpx
import pytest
from backports import zstd
from collector_processes import Collector, Shared
from google.protobuf.json_format import MessageToDict, MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from memwarden_api import names
from memwarden_collector.otlp.json_codec import message_from_json

JSON = {"content-type": "application/json"}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "none": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


def post_json(client: httpx.Client, path: str, body: object, **headers: str) -> httpx.Response:
    text = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.post(path, content=text, headers={**JSON, **headers})


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_every_compression_is_the_same_request(collector: Collector, rows: Any, encoding: str) -> None:
    message = otlp.metrics("run", time.time())
    text = MessageToJson(message, use_integers_for_enums=True)
    body = message.SerializeToString() if encoding == "protobuf" else text.encode()
    for name, compress in COMPRESSIONS.items():
        kind = f"application/{'x-protobuf' if encoding == 'protobuf' else 'json; charset=utf-8'}"
        headers = {"content-type": kind, "content-encoding": name}
        response = collector.client.post(names.METRICS_PATH, content=compress(body), headers=headers)
        assert response.status_code == 200, (name, response.content)
        assert response.headers["content-type"] == kind.split(";")[0]
        assert response.content == (b"" if encoding == "protobuf" else b"{}")
    # The key of a batch without an id is the hash of its inflated bytes: one batch.
    counts = (
        "select (select count(*) from mem_sample), (select count(*) from sample), count(*) from ingest_batch"
    )
    assert rows(counts) == [(2, 4, 1)]


def test_a_body_may_be_several_frames(shared: Shared) -> None:
    body = otlp.metrics(shared.scope, time.time()).SerializeToString()
    for compress, name in ((zstd.compress, "zstd"), (gzip.compress, "gzip"), (zlib.compress, "deflate")):
        parts = compress(body[:40]) + compress(b"") + compress(body[40:])
        assert otlp.post_metrics(shared.client, parts, content_encoding=name).status_code == 200
        for bad in (parts[:-3], parts + b"tail", b"no " + parts):
            response = otlp.post_metrics(shared.client, bad, content_encoding=name)
            assert response.status_code == 400, (name, response.content)
        many = otlp.post_metrics(shared.client, compress(b"") * 70, content_encoding=name)
        assert many.status_code == 400
        assert b"more than 64" in many.content


def test_profiles_in_json(shared: Shared) -> None:
    stack = (("/app/a.py", 10, "grow"), ("/app/b.py", 20, "main"))
    message = otlp.profiles(shared.scope, time.time(), [(stack, "1", 100, 10, 2)])
    response = post_json(shared.client, names.PROFILES_PATH, MessageToJson(message))
    assert (response.status_code, response.json()) == (200, {})
    assert shared.rows(
        "select live_bytes, blocks, samples from profile join resource using (resource_id)"
        " join scope using (scope_id) where name = %s",
        shared.scope,
    ) == [([100], [10], [2])]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "not an object"),
        ('{"resourceMetrics": {}}', "resourceMetrics is not an array"),
        ('{"resourceMetrics": [7]}', "ResourceMetrics is not an object"),
        ('{"resourceMetrics": [{"schemaUrl": 5}]}', "schemaUrl is not a text"),
        ('{"resourceMetrics": [{"schemaUrl": NaN}]}', "NaN"),
        ('{"resourceMetrics": [{"resource": {"droppedAttributesCount": -1}}]}', ""),
        ('{"resourceMetrics": [{"resource": {"droppedAttributesCount": 1.5}}]}', "not an integer"),
        ('{"resourceMetrics": [{"schemaUrl": "\\ud800"}]}', ""),
        ("[" * 100_000, "nested"),
        (b'{"a": "\xff"}', "utf-8"),
        ('{"resourceMetrics": [' + "9" * 5000 + "]}", ""),
    ],
)
def test_bad_json_is_400_and_says_why(shared: Shared, body: str | bytes, reason: str) -> None:
    response = post_json(shared.client, names.METRICS_PATH, body)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    status = response.json()
    assert status["code"] == 3
    assert "ExportMetricsServiceRequest" in status["message"]
    assert reason in status["message"]
    violations = status["details"][0]
    assert violations["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert violations["fieldViolations"] == [{"description": status["message"]}]


def test_a_partial_success_in_json(shared: Shared) -> None:
    at = str(round(time.time() * 1e9))
    points = [
        {"timeUnixNano": at, "asDouble": "NaN"},
        {"timeUnixNano": at, "asInt": "9007199254740993", "unknownField": {"ignored": [1]}},
        {"timeUnixNano": at, "asDouble": 1e300, "attributes": None},
    ]
    metric = {"name": "m", "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}}
    attributes = [{"key": names.SCOPE_ID, "value": {"stringValue": shared.scope}}]
    resource = {"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]}
    response = post_json(shared.client, names.METRICS_PATH, {"resourceMetrics": [resource]})
    assert response.status_code == 200
    partial = response.json()["partialSuccess"]
    assert partial["rejectedDataPoints"] == "1"  # 64 bits are a text in JSON
    assert "NaN" in partial["errorMessage"]
    assert shared.rows(
        "select value, temporality, monotonic from sample join series using (series_id)"
        " join resource using (resource_id) join scope using (scope_id) where name = %s order by value",
        shared.scope,
    ) == [(2.0**53, "delta", True), (1e300, "delta", True)]


def random_message(source: random.Random) -> ExportMetricsServiceRequest:
    """Numbers at their ends, texts of every plane, every kind of metric and of attribute."""
    request = otlp.metrics(f"run{source.random()}", time.time(), source.random())
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    point = metrics.add(name="é𝄞\n").histogram.data_points.add(count=2**64 - 1, bucket_counts=[0, 2**63])
    point.attributes.add(key="b").value.bytes_value = source.randbytes(source.randrange(9))
    point.attributes.add(key="l").value.kvlist_value.values.add(key="x").value.int_value = -(2**63)
    exemplar = point.exemplars.add(as_int=-1, span_id=source.randbytes(8), trace_id=source.randbytes(16))
    exemplar.filtered_attributes.add(key="y").value.array_value.values.add(double_value=-math.inf)
    number = metrics.add().gauge.data_points.add()
    number.as_double = source.choice([0.0, -0.0, 5e-324, math.inf, -math.inf, math.pi])
    tail = metrics.add().exponential_histogram.data_points.add(scale=-(2**31), min=source.gauss(0, 1e9))
    tail.positive.offset = source.randrange(-(2**31), 2**31)
    return request


def test_json_says_the_same_as_protobuf() -> None:
    source = random.Random(5)
    for _ in range(50):
        message = random_message(source)
        value = MessageToDict(message, use_integers_for_enums=True)
        exemplar = (
            message.resource_metrics[0].scope_metrics[0].metrics[-3].histogram.data_points[0].exemplars[0]
        )
        written = value["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][-3]["histogram"]["dataPoints"][0]
        written["exemplars"][0] |= {
            "spanId": exemplar.span_id.hex(),
            "traceId": exemplar.trace_id.hex().upper(),
        }
        assert message_from_json(ExportMetricsServiceRequest, json.dumps(value).encode()) == message
    stack = (("/app/a.py", 10, "grow"),)
    profiles = otlp.profiles("run", time.time(), [(stack, "inf", 1, 2, 3)])
    assert message_from_json(ExportProfilesServiceRequest, MessageToJson(profiles).encode()) == profiles
    unpadded = base64.urlsafe_b64encode(b"\xff\xfe\xfd\xfc").rstrip(b"=").decode()
    body = json.dumps({"key": "k", "value": {"bytesValue": unpadded}}).encode()
    assert message_from_json(type(otlp.pairs({"a": 1})[0]), body).value.bytes_value == b"\xff\xfe\xfd\xfc"
    for bad in ({"traceId": "xyz"}, {"kind": "SPAN_KIND_SERVER"}, {"name": True}, {"events": [None]}):
        with pytest.raises(ValueError):
            message_from_json(Span, json.dumps(bad).encode())


def test_logs_are_answered_not_stored(shared: Shared) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add().body.string_value = "out of memory"
    records.add()
    response = shared.client.post(names.LOGS_PATH, content=request.SerializeToString(), headers=otlp.PROTOBUF)
    assert response.status_code == 200
    answer = ExportLogsServiceResponse.FromString(response.content).partial_success
    assert answer.rejected_log_records == 2
    assert "not stored" in answer.error_message
    response = post_json(shared.client, names.LOGS_PATH, MessageToDict(request))
    assert response.json()["partialSuccess"]["rejectedLogRecords"] == "2"
    assert post_json(shared.client, names.LOGS_PATH, {}).json() == {}
    assert 'reason="not_stored",signal="logs"' in shared.client.get("/metrics").text


def test_what_otlp_has_and_we_have_not_is_404_in_its_words(shared: Shared) -> None:
    response = post_json(shared.client, "/v1/traces", {})
    assert response.status_code == 404
    assert response.json()["code"] == 5
    assert names.METRICS_PATH in response.json()["message"]


def varint(number: int) -> bytes:
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    return bytes([*result, number])


def nested(size: int) -> bytes:
    """A valid request: metrics, each an empty message of two bytes."""
    scope = b"\x12\x00" * (size // 2)
    resource = b"\x12" + varint(len(scope)) + scope
    return b"\x0a" + varint(len(resource)) + resource


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) << 10


def test_bombs_are_413_and_cost_little_memory(start: Any, database_url: str) -> None:
    collector = start(database_url, "--max-inflated-bytes", "16777216")
    assert otlp.post_metrics(collector.client, otlp.metrics("run", time.time())).status_code == 200
    until = time.monotonic() + 60
    while collector.client.get("/api/v1/scopes").status_code != 200:  # everything is loaded
        assert time.monotonic() < until
    before = resident(collector.process.pid)
    noise = random.Random(3).randbytes(400_000)
    padding = base64.b64encode(noise)
    # 6 MiB that would be 270 MiB once parsed; the noise keeps it below the ratio that would stop it earlier.
    field = b"\x7a" + varint(len(padding)) + padding
    empty = b'{"x": "' + padding + b'", "resourceMetrics": [' + b"{}," * (2 << 20) + b"{}]}"

    def send(name: str, body: bytes, kind: dict[str, str] = otlp.PROTOBUF) -> bytes:
        packed = COMPRESSIONS[name](body)
        headers = {**kind, "content-encoding": name}
        response = collector.client.post(names.METRICS_PATH, content=packed, headers=headers)
        assert response.status_code == 413, (name, response.content)
        return response.content

    for name in ("identity", "gzip", "zstd", "deflate"):
        if name != "identity":
            assert b"max_inflate_ratio=200" in send(name, bytes(16_000_000))
            assert b"max_inflated_bytes=16777216" in send(name, bytes(17_000_000) + noise)
        assert b"max_decoded_bytes=" in send(name, nested(6 << 20) + field)
        assert b"max_decoded_bytes=" in send(name, empty, JSON)
    assert resident(collector.process.pid) - before < 150 << 20
    text = collector.client.get("/metrics").text
    assert 'limit="max_decoded_bytes",reason="decoded_bytes",status="413",value="167772160"' in text
