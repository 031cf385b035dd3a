"""What the doors take, refuse and say, against the real process and a real PostgreSQL."""

import gzip
import math
import random
import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import collector_requests as otlp
import httpx
import pytest
from collector_processes import Collector, Shared
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from memwarden_api import names
from memwarden_collector.otlp.status import Status

PROFILES = (
    "select live_bytes, blocks, samples from profile join resource using (resource_id)"
    " join scope using (scope_id) where name = %s"
)


def status_of(response: httpx.Response) -> Any:
    assert response.headers["content-type"] == "application/x-protobuf"
    return Status.FromString(response.content)


def counts(rows: Any) -> tuple[int, int, int]:
    return tuple(
        rows(f"select count(*) from {table}")[0][0] for table in ("mem_sample", "sample", "ingest_batch")
    )


def test_a_tick_is_stored_wide_and_narrow(collector: Collector, rows: Any) -> None:
    at = time.time()
    response = otlp.post_metrics(collector.client, otlp.metrics("run", at))
    assert otlp.metrics_answer(response).SerializeToString() == b""  # full success: nothing is set
    assert counts(rows) == (2, 4, 1)
    scope, process = rows(
        "select anon_bytes, limit_bytes, limit_source, cpu_seconds, heap_samples, extract(epoch from"
        " ts)::float8"
        " from mem_sample join resource using (resource_id) order by pid nulls first"
    )
    assert scope[:5] == (1e8, 2.0**30, "option", 1.5, None)
    assert process[:5] == (1e8, None, None, 1.5, 200.0)
    assert scope[5] == pytest.approx(at, abs=1e-6)
    assert rows(
        "select metric, attribute, kind, temporality, monotonic from series order by metric, attribute"
    ) == [
        ("cpython.gc.collections", "0", "sum", "cumulative", True),
        ("cpython.gc.collections", "1", "sum", "cumulative", True),
        ("cpython.gc.collections", "2", "sum", "cumulative", True),
        ("memwarden.objects.count", "builtins.dict", "gauge", "", False),
    ]
    assert rows(
        "select name, kind, command, host, interval_seconds, limit_bytes, limit_source from scope"
    ) == [("run", "run", "python app.py", "machine", 1.0, 2.0**30, "option")]


def test_gzip_and_an_empty_request_are_taken(collector: Collector, rows: Any) -> None:
    body = otlp.metrics("run", time.time()).SerializeToString()
    two_members = gzip.compress(body[:50]) + gzip.compress(body[50:])
    for data in (gzip.compress(body), two_members):
        assert otlp.post_metrics(collector.client, data, content_encoding="gzip").status_code == 200
    assert otlp.post_metrics(collector.client, b"").status_code == 200
    assert counts(rows) == (2, 4, 1)  # the same bytes inflated: the same batch


def test_a_batch_sent_twice_counts_once(collector: Collector, rows: Any) -> None:
    at, key = time.time(), otlp.batch_id()
    for anon in (1e8, 2e8):  # the id decides, not the bytes
        response = otlp.post_metrics(collector.client, otlp.metrics("run", at, anon), memwarden_batch_id=key)
        assert response.status_code == 200
    assert counts(rows) == (2, 4, 1)
    assert (
        otlp.post_profiles(collector.client, otlp.profiles("run", at, []), memwarden_batch_id=key).status_code
        == 200
    )
    assert counts(rows)[2] == 2  # a key belongs to its signal
    response = otlp.post_metrics(collector.client, otlp.metrics("run", at), memwarden_batch_id="no-uuid")
    assert response.status_code == 400
    assert "memwarden-batch-id" in status_of(response).message


def test_profiles_of_a_moment_become_one_row(collector: Collector, rows: Any) -> None:
    stack = (("/app/a.py", 10, "grow"), ("/app/b.py", 20, "main"))
    other = (("/app/a.py", 11, "grow"), ("/app/b.py", 20, "main"))
    at = time.time()
    cells = [(stack, "1", 100, 10, 2), (stack, "inf", 300, 30, 3), (other, "10", 50, 5, 1)]
    response = otlp.post_profiles(collector.client, otlp.profiles("run", at, cells))
    assert otlp.profiles_answer(response).SerializeToString() == b""
    assert rows(
        "select live_bytes_total, samples_total, cells, ages, live_bytes, blocks, samples from profile"
    ) == [(450, 6, 3, [0, 9, 3], [100, 300, 50], [10, 30, 5], [2, 3, 1])]
    assert rows("select count(*) from function")[0][0] == 2
    assert rows("select count(*) from frame")[0][0] == 3
    otlp.post_profiles(collector.client, otlp.profiles("run", at + 1, cells))
    assert rows("select count(*) from stack")[0][0] == 2  # the dictionary is shared
    assert otlp.post_profiles(collector.client, otlp.profiles("run", at + 2, [])).status_code == 200
    assert rows("select cells from profile order by ts") == [(3,), (3,), (0,)]


def test_newest_attributes_win_and_identity_stays(collector: Collector, rows: Any) -> None:
    at = time.time()
    for moment, state in (
        (at, "outside"),
        (at + 2, "hooked"),
        (at + 1, "outside"),
    ):  # the last one is a replay
        request = ExportMetricsServiceRequest()
        attributes = otlp.process_attributes("run", **{names.PROBE_STATE: state})
        otlp.add_resource(request, attributes, moment, [(names.PROCESS_MEMORY_ANON, 1.0, {})])
        otlp.post_metrics(collector.client, request)
    assert rows("select attrs->>'memwarden.probe.state' from resource") == [("hooked",)]


@pytest.mark.parametrize("path", [names.METRICS_PATH, names.PROFILES_PATH])
def test_garbage_is_400(shared: Shared, path: str) -> None:
    good = otlp.metrics("run", time.time()).SerializeToString()
    bad_utf8 = good.replace(b"python app.py", b"python \xff\xfe.py")
    cases = [(b"\xff" * 50, {}), (good[:-7], {}), (b"no gzip", {"content-encoding": "gzip"})]
    cases += [(gzip.compress(good)[:-9], {"content-encoding": "gzip"})]
    cases += [(gzip.compress(good) + b"tail", {"content-encoding": "gzip"})]
    cases += [(bad_utf8, {})] if path == names.METRICS_PATH else []
    for body, headers in cases:
        response = shared.client.post(path, content=body, headers={**otlp.PROTOBUF, **headers})
        assert response.status_code == 400, body[:20]
        assert status_of(response).code == 3
        assert status_of(response).message


def test_unknown_encodings_types_and_methods(shared: Shared) -> None:
    client = shared.client
    response = client.post(
        names.METRICS_PATH, content=b"x", headers={**otlp.PROTOBUF, "content-encoding": "br"}
    )
    assert response.status_code == 415
    assert "br" in status_of(response).message
    response = client.post(
        names.METRICS_PATH, json={"resourceMetrics": []}, headers={"content-encoding": "br"}
    )
    assert response.status_code == 415
    assert response.json()["code"] == 3  # google.rpc.Status in the request's encoding
    assert client.post(names.METRICS_PATH, content=b"x").status_code == 415
    response = client.get(names.METRICS_PATH)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert client.get("/nothing").status_code == 404


def test_too_large_is_413_and_names_the_limit(start: Any, database_url: str) -> None:
    collector = start(database_url, "--max-request-bytes", "100000", "--max-inflated-bytes", "3000000")
    client = collector.client
    response = otlp.post_metrics(client, b"x" * 100_001)
    assert response.status_code == 413
    assert "max_request_bytes=100000" in status_of(response).message
    response = client.post(names.METRICS_PATH, content=iter([b"x" * 50_000] * 5), headers=otlp.PROTOBUF)
    assert response.status_code == 413
    large = zlib.compressobj(wbits=31)
    noise = b"".join(random.Random(block).randbytes(20) + bytes(1000) for block in range(3000))
    response = otlp.post_metrics(client, large.compress(noise) + large.flush(), content_encoding="gzip")
    assert response.status_code == 413
    assert "max_inflated_bytes=3000000" in status_of(response).message
    bomb = gzip.compress(bytes(2_900_000))
    response = otlp.post_metrics(client, bomb, content_encoding="gzip")
    assert response.status_code == 413
    assert "max_inflate_ratio=200" in status_of(response).message
    assert otlp.post_metrics(client, otlp.metrics("run", time.time())).status_code == 200


def test_refused_by_its_length_before_a_byte_is_read(shared: Shared) -> None:
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/metrics HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
            b"content-length: 999999999\r\nexpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_bytes_in_flight_are_bounded(start: Any, database_url: str) -> None:
    collector = start(database_url, "--max-inflight-bytes", "2000")
    response = otlp.post_metrics(collector.client, b"x" * 3000)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert status_of(response).code == 14
    assert "max_inflight_bytes=2000" in status_of(response).message
    assert otlp.post_metrics(collector.client, b"").status_code == 200


def bad_point_cases() -> list[tuple[str, Any]]:
    def value(point: Any, number: float) -> None:
        point.as_double = number

    def attributes(point: Any, count: int) -> None:
        point.attributes.extend(otlp.pairs({f"key{number}": number for number in range(count)}))

    return [
        ("NaN", lambda metric, point: value(point, math.nan)),
        ("infinite", lambda metric, point: value(point, -math.inf)),
        ("no value", lambda metric, point: point.ClearField("as_double")),
        ("no time", lambda metric, point: setattr(point, "time_unix_nano", 0)),
        ("max_sample_age_seconds=86400", lambda metric, point: setattr(point, "time_unix_nano", 10**18)),
        ("max_sample_future_seconds=600", lambda metric, point: setattr(point, "time_unix_nano", 2**64 - 1)),
        ("U+0000", lambda metric, point: point.attributes.extend(otlp.pairs({"key": "a\0b"}))),
        ("max_attributes=30", lambda metric, point: attributes(point, 31)),
        ("max_key_bytes=256", lambda metric, point: point.attributes.extend(otlp.pairs({"k" * 257: 1}))),
        ("U+0000", lambda metric, point: setattr(metric, "name", "a\0b")),
        ("no name", lambda metric, point: setattr(metric, "name", "")),
    ]


@pytest.mark.parametrize(("reason", "spoil"), bad_point_cases())
def test_a_bad_point_is_rejected_and_the_others_are_stored(shared: Shared, reason: str, spoil: Any) -> None:
    request = ExportMetricsServiceRequest()
    resource = otlp.add_resource(
        request, otlp.scope_attributes(shared.scope), time.time(), [("good", 1.0, {}), ("bad", 2.0, {})]
    )
    metric = resource.scope_metrics[0].metrics[1]
    spoil(metric, metric.gauge.data_points[0])
    answer = otlp.metrics_answer(otlp.post_metrics(shared.client, request)).partial_success
    assert answer.rejected_data_points == 1
    assert reason in answer.error_message
    assert shared.rows(
        "select metric, value from sample join series using (series_id) join resource using (resource_id)"
        " join scope using (scope_id) where name = %s",
        shared.scope,
    ) == [("good", 1.0)]


def test_bad_resources_lose_their_points_alone(collector: Collector, rows: Any) -> None:
    at = time.time()
    request = otlp.metrics("good", at)
    bad: list[dict[str, object]] = [
        otlp.scope_attributes(""),
        otlp.scope_attributes("x" * 257),
        otlp.scope_attributes("run", **{names.SCOPE_KIND: "planet"}),
        otlp.process_attributes("run", pid=-1),
        otlp.process_attributes("run", **{names.PROCESS_CREATION_TIME: "yesterday"}),
        otlp.scope_attributes("run", text="a\0b"),
        otlp.scope_attributes("run", **{f"key{number}": 1 for number in range(80)}),
    ]
    for attributes in bad:
        otlp.add_resource(request, attributes, at, [("one", 1.0, {}), ("two", 2.0, {})])
    answer = otlp.metrics_answer(otlp.post_metrics(collector.client, request)).partial_success
    assert answer.rejected_data_points == 2 * len(bad)
    assert "max_resource_attributes=64" in answer.error_message
    assert rows("select name from scope") == [("good",)]


def test_long_texts_are_cut_with_a_warning(collector: Collector, rows: Any) -> None:
    request = ExportMetricsServiceRequest()
    command = "java -cp " + "é" * 5000
    attributes = otlp.scope_attributes("run", **{names.PROCESS_COMMAND_LINE: command, "nan": math.nan})
    otlp.add_resource(request, attributes, time.time(), [(names.MEMORY_ANON, 1.0, {})])
    answer = otlp.metrics_answer(otlp.post_metrics(collector.client, request)).partial_success
    assert answer.rejected_data_points == 0
    assert "max_value_bytes=4096" in answer.error_message
    (stored,) = rows("select command from scope")[0]
    assert command.startswith(stored)
    assert 4090 <= len(stored.encode()) <= 4096


def test_stale_points_are_no_points(collector: Collector, rows: Any) -> None:
    request = otlp.metrics("run", time.time())
    stale = request.resource_metrics[0].scope_metrics[0].metrics.add(name="stale").gauge.data_points.add()
    stale.flags = 1
    assert otlp.metrics_answer(otlp.post_metrics(collector.client, request)).SerializeToString() == b""
    assert rows("select count(*) from series where metric = 'stale'") == [(0,)]


def test_points_and_profile_samples_of_a_request_are_bounded(start: Any, database_url: str) -> None:
    collector = start(database_url, "--max-points", "5", "--max-profile-samples", "7")
    answer = otlp.metrics_answer(
        otlp.post_metrics(collector.client, otlp.metrics("run", time.time()))
    ).partial_success
    assert answer.rejected_data_points == 14
    assert "max_points=5" in answer.error_message
    stack = (("a.py", 1, "f"),)
    cells = [(stack, age, 1, 1, 1) for age in ("1", "2", "5")]
    response = otlp.post_profiles(collector.client, otlp.profiles("run", time.time(), cells))
    assert otlp.profiles_answer(response).partial_success.rejected_profiles == 1
    assert "max_profile_samples=7" in otlp.profiles_answer(response).partial_success.error_message


def test_foreign_metrics_are_kept_under_their_service(collector: Collector, rows: Any) -> None:
    request = ExportMetricsServiceRequest()
    attributes = {"service.name": "checkout", "service.namespace": "shop", "k8s.pod.name": "checkout-1"}
    two = {"jvm.memory.type": "heap", "jvm.memory.pool.name": "G1 Old Gen"}
    otlp.add_resource(request, attributes, time.time(), [("jvm.memory.used", 5, two)])
    otlp.add_resource(request, {}, time.time(), [("process.memory.usage", 7, {})])
    assert otlp.post_metrics(collector.client, request).status_code == 200
    found = rows(
        "select name, scope.kind, attribute, value from sample join series using (series_id)"
        " join resource using (resource_id) join scope using (scope_id) order by value"
    )
    pool = "jvm.memory.pool.name=G1 Old Gen,jvm.memory.type=heap"
    assert found == [
        ("service:shop/checkout@checkout-1", "service", pool, 5.0),
        ("service:unknown_service@", "service", "", 7.0),
    ]
    items = collector.client.get("/api/v1/scopes").json()["items"]
    assert {item["kind"] for item in items} == {"service"}
    assert collector.client.post("/api/v1/scopes/service:shop/checkout@checkout-1/judge").status_code == 409


def spoilt_profiles() -> list[tuple[str, Any]]:
    def samples(request: Any) -> Any:
        return otlp.first_profile(request).samples

    def values(request: Any, *numbers: int) -> None:
        for sample, number in zip(samples(request), numbers, strict=False):
            sample.values[0] = number

    def kind(request: Any, index: int) -> None:
        otlp.first_profile(request).sample_type.type_strindex = index

    return [
        ("stack index", lambda request: setattr(samples(request)[0], "stack_index", 99)),
        ("stack index", lambda request: setattr(samples(request)[0], "stack_index", -1)),
        ("attribute index", lambda request: samples(request)[0].attribute_indices.append(99)),
        ("has 2 values", lambda request: samples(request)[0].values.append(1)),
        ("negative", lambda request: values(request, -5)),
        ("64 bits", lambda request: values(request, 2**63 - 1, 2**63 - 1)),
        ("string index", lambda request: kind(request, 99)),
        ("not of live memory", lambda request: kind(request, 0)),
        ("max_sample_age_seconds", lambda request: setattr(otlp.first_profile(request), "time_unix_nano", 5)),
    ]


@pytest.mark.parametrize(("reason", "spoil"), spoilt_profiles())
def test_a_bad_profile_is_rejected_and_the_others_are_stored(shared: Shared, reason: str, spoil: Any) -> None:
    stack = (("a.py", 1, "f"), ("b.py", 2, "g"))
    cells = [(stack, "1", 100, 10, 2), (stack[1:], "inf", 7, 7, 7)]
    request = otlp.profiles(shared.scope, time.time(), cells)
    spoil(request)
    answer = otlp.profiles_answer(otlp.post_profiles(shared.client, request)).partial_success
    assert answer.rejected_profiles == 1
    assert reason in answer.error_message
    assert shared.rows(PROFILES, shared.scope) == [([0, 0], [10, 7], [2, 7])]


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("location index", lambda tables: tables.stack_table[1].location_indices.append(99)),
        ("function index", lambda tables: setattr(tables.location_table[1].lines[0], "function_index", -1)),
        ("string index", lambda tables: setattr(tables.function_table[1], "name_strindex", 99)),
        ("line number", lambda tables: setattr(tables.location_table[1].lines[0], "line", -3)),
        (
            "U+0000",
            lambda tables: tables.string_table.__setitem__(tables.function_table[1].name_strindex, "a\0"),
        ),
    ],
)
def test_a_bad_dictionary_takes_the_profiles_that_use_it(shared: Shared, reason: str, spoil: Any) -> None:
    request = otlp.profiles(shared.scope, time.time(), [((("a.py", 1, "f"),), "1", 100, 10, 2)])
    spoil(request.dictionary)
    answer = otlp.profiles_answer(otlp.post_profiles(shared.client, request)).partial_success
    assert answer.rejected_profiles == 3
    assert reason in answer.error_message
    assert shared.rows(PROFILES, shared.scope) == []


def test_deep_stacks_are_cut(start: Any, database_url: str, rows: Any) -> None:
    collector = start(database_url, "--max-stack-depth", "4")
    stack = tuple((f"f{depth}.py", depth, "f") for depth in range(9))
    response = otlp.post_profiles(
        collector.client, otlp.profiles("run", time.time(), [(stack, "1", 1, 1, 1)])
    )
    assert "max_stack_depth=4" in otlp.profiles_answer(response).partial_success.error_message
    assert rows("select cardinality(frames) from stack") == [(4,)]


def test_fifty_at_once(collector: Collector, rows: Any) -> None:
    at = time.time()
    stack = (("a.py", 1, "f"),)

    def send(number: int) -> None:
        with httpx.Client(base_url=collector.url, timeout=120, trust_env=False, verify=False) as client:
            for tick in range(4):
                moment = at + tick + number / 1000
                # Several senders know the same scope and the same process: names must not be made twice.
                request = otlp.metrics(f"run{number % 5}", moment, pid=number % 3)
                assert otlp.post_metrics(client, request).status_code == 200
                cells = [(stack, "1", number, 1, 1), ((("a.py", number, "g"), *stack), "1", 1, 1, 1)]
                assert (
                    otlp.post_profiles(client, otlp.profiles(f"run{number % 5}", moment, cells)).status_code
                    == 200
                )

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(send, range(50)))
    assert counts(rows) == (50 * 4 * 2, 50 * 4 * 4, 50 * 4 * 2)
    assert rows("select count(*) from scope") == [(5,)]
    assert rows("select count(*) from resource") == [(5 + 15 + 5,)]
    assert rows("select count(*) from stack") == [(51,)]


def test_two_collectors_on_one_database(start: Any, database_url: str, rows: Any) -> None:
    both = [start(database_url), start(database_url)]
    at = time.time()

    def send(number: int) -> None:
        keys = [otlp.batch_id() for _ in range(10)]
        with httpx.Client(timeout=120, trust_env=False, verify=False) as client:
            for tick, key in enumerate(keys):
                body = otlp.metrics(f"run{tick}", at + number, pid=tick).SerializeToString()
                for collector in both:  # each batch goes to both
                    headers = {**otlp.PROTOBUF, names.BATCH_ID_HEADER: key}
                    assert client.post(
                        collector.url + names.METRICS_PATH, content=body, headers=headers
                    ).is_success

    threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(rows) == (6 * 10 * 2, 6 * 10 * 4, 60)
    assert rows("select count(*) from resource") == [(20,)]
