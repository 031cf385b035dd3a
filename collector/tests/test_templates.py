"""What a template decodes is what the walk decodes, whatever changes between two requests of a sender."""

import math
import random
import time
from collections import Counter
from typing import Any

import collector_requests as otlp
import pytest
from collector_load import skeletons
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from memwarden_api import names
from memwarden_collector.batch import ResourceBlock
from memwarden_collector.clock import Now
from memwarden_collector.otlp.metrics import decode_metrics
from memwarden_collector.otlp.templates import Templates
from memwarden_collector.settings import Limits

LIMITS = Limits()
CHANGES = 120


class Decoder:
    """As the intake does it, with what came by which way."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.clock = 1000.0
        self.templates = Templates(limits, lambda: self.clock)
        self.by_template = 0

    def decode(self, body: bytes, now: float | None = None) -> list[ResourceBlock] | None:
        """What the template gave, compared with the walk; teaches."""
        moment = Now.of(time.time() if now is None else now)
        self.clock += 61  # nothing is too early to be learnt
        request = ExportMetricsServiceRequest.FromString(body)
        walked, rejections = decode_metrics(request, self.limits, moment)
        found = self.templates.decode(body, moment)
        if found is None:
            self.templates.learn(body, request, moment)
        else:
            self.by_template += 1
            assert not rejections.message()
            assert list(map(plain, found)) == list(map(plain, walked))
        return found


def plain(block: ResourceBlock) -> Any:
    """All that the store writes of it."""
    narrow = list(block.narrow)
    if block.packed is not None:
        narrow += zip(
            block.packed.times.tolist(), block.packed.of.series, block.packed.values.tolist(), strict=True
        )
        assert set(block.packed.of.series) >= {one[1] for one in narrow}
    infos = dict(block.series)
    if block.packed is not None:
        infos.update(zip(block.packed.of.series, block.packed.of.infos, strict=True))
    narrow = [(at, series, value.hex()) for at, series, value in narrow]
    wide = {at: {name: repr(value) for name, value in row.items()} for at, row in block.wide.items()}
    return (
        block.identity,
        block.attributes,
        block.attributes_digest(),
        block.items,
        block.rows,
        block.span(),
        wide,
        narrow,
        infos,
    )


def numbers(request: ExportMetricsServiceRequest) -> list[Any]:
    return [
        point
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in (metric.gauge.data_points or metric.sum.data_points)
    ]


@pytest.mark.parametrize("shape", [0, 1, 2, 3])
def test_a_sidecars_third_request_needs_no_walk(shape: int) -> None:
    decoder, source = Decoder(), random.Random(1)
    sender = skeletons.sidecar(shape).of(7)
    found = [decoder.decode(sender.at(time.time_ns(), source)) for _ in range(5)]
    assert [one is not None for one in found] == [False, False, True, True, True]


def test_a_foreign_service_with_many_resources() -> None:
    decoder, source = Decoder(), random.Random(1)
    sender = skeletons.narrow(300, 5).of(7)
    for _ in range(4):
        decoder.decode(sender.at(time.time_ns(), source))
    assert decoder.by_template == 2


VALUES = (0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1)
REALS = (0.0, -0.0, 1e308, -5e-324, math.pi, math.nan, math.inf, -math.inf)


def change(request: ExportMetricsServiceRequest, source: random.Random, now: float) -> None:
    """Something that may happen between two requests."""
    points = numbers(request)
    point = source.choice(points)
    what = source.randrange(14)
    if what < 4:
        if point.WhichOneof("value") == "as_int":
            point.as_int = source.choice(VALUES)
        else:
            point.as_double = source.choice(REALS)
    elif what == 4:
        point.time_unix_nano = source.choice(
            (0, 1, 2**64 - 1, round((now + 10) * 1e9), round((now - 9e4) * 1e9))
        )
    elif what == 5:
        for one in points:
            one.time_unix_nano = min(one.time_unix_nano + source.randrange(10**9), 2**64 - 1)
    elif what == 6:
        point.start_time_unix_nano = source.choice((0, 1, 2**63))
    elif what == 7:
        point.flags = source.choice((0, 1))
    elif what == 8:
        point.ClearField("value")
    elif what == 9:
        point.as_int = 5  # may have been a double
    elif what == 10:
        source.choice(request.resource_metrics).resource.attributes[0].value.string_value = source.choice(
            ("a", "b", "x" * 5000)
        )
    elif what == 11:
        metrics = request.resource_metrics[0].scope_metrics[0].metrics
        del metrics[source.randrange(len(metrics))]
    elif what == 12:
        request.resource_metrics.add().CopyFrom(source.choice(request.resource_metrics))
    else:
        point.attributes.add(key=source.choice(("pool", "kind", "k")), value=otlp.any_value("y"))


@pytest.mark.parametrize("seed", range(4))
def test_whatever_changes_both_ways_give_the_same_rows(seed: int) -> None:
    source, decoder, ways = random.Random(seed), Decoder(), Counter[bool]()
    now = time.time()
    base = skeletons.sidecar(seed).of(7) if seed % 2 else skeletons.narrow(24, 2).of(7)
    for number in range(CHANGES):
        request = ExportMetricsServiceRequest.FromString(base.at(round(now * 1e9) + number * 10**6, source))
        for _ in range(source.choice((0, 0, 1, 2))):
            if len(numbers(request)) > 4 and request.resource_metrics[0].scope_metrics[0].metrics:
                change(request, source, now)
        for _ in range(source.choice((1, 3))):  # thrice, so that it is learnt
            ways[decoder.decode(request.SerializeToString(), now) is not None] += 1
    assert min(ways.values()) > CHANGES / 10, ways


def test_two_moments_in_one_wide_row_are_two_rows() -> None:
    """Learnt with one moment, where they were one row."""
    decoder, now = Decoder(), time.time()
    request = otlp.metrics("run", now)
    for _ in range(3):
        found = decoder.decode(request.SerializeToString())
    assert found is not None
    request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].time_unix_nano += 10**6
    for _ in range(3):
        assert decoder.decode(request.SerializeToString()) is None


@pytest.mark.parametrize(
    "limits", [Limits(max_template_bytes=0), Limits(max_points=5), Limits(max_value_bytes=16)]
)
def test_nothing_is_learnt_of_what_is_not_wanted(limits: Limits) -> None:
    decoder = Decoder(limits)
    for _ in range(4):
        assert (
            decoder.decode(otlp.metrics("a-scope-with-a-long-name", time.time()).SerializeToString()) is None
        )
    assert decoder.templates.size == 0


def test_bytes_in_another_order_are_decoded_by_the_walk() -> None:
    """Two messages merged: valid protobuf, but not what would be made of its content."""
    decoder = Decoder()
    body = otlp.metrics("run", time.time()).SerializeToString()
    odd = body + ExportMetricsServiceRequest().SerializeToString() + b"\xf8\x01\x00"  # field 31, unknown
    for _ in range(4):
        decoder.decode(odd)
    overlong = b"\x0a\x80\x00" + body  # an empty resource whose length is written in two bytes
    for _ in range(4):
        assert decoder.decode(overlong) is None


def test_memory_is_bounded_and_who_sends_keeps_its_place() -> None:
    decoder, source = Decoder(Limits(max_template_bytes=60_000)), random.Random(1)
    # The clock moves 61 s a request: nobody is used within a minute, so the newest take the place of the oldest.
    for who in range(40):
        for _ in range(3):
            decoder.decode(skeletons.sidecar(1).of(who).at(time.time_ns(), source))
    assert 0 < decoder.templates.size <= 60_000
    assert decoder.by_template == 40
    assert decoder.decode(skeletons.sidecar(1).of(39).at(time.time_ns(), source)) is not None
    assert decoder.decode(skeletons.sidecar(1).of(0).at(time.time_ns(), source)) is None


def test_rows_by_a_template_are_the_rows_of_the_walk_in_the_database(shared: Any) -> None:
    """Three requests, the last by the template: numbers that no other decoding would give."""
    now = time.time()
    for number in range(4):
        request = otlp.metrics(shared.scope, now + number, anon=1e8 + number)
        answer = otlp.metrics_answer(otlp.post_metrics(shared.client, request))
        assert not answer.partial_success.error_message
    wide = shared.rows(
        "select pid, m.anon_bytes, m.limit_bytes, m.limit_source, heap_allocated_bytes from mem_sample m"
        " join resource using (resource_id) join scope using (scope_id) where name = %s order by pid nulls first, ts",
        shared.scope,
    )
    assert [row[1] for row in wide] == [1e8 + number for number in range(4)] * 2
    assert {row[2:4] for row in wide if row[0] is None} == {(float(1 << 30), "option")}
    narrow = shared.rows(
        "select metric, attribute, count(*), count(distinct ts), min(value), max(value) from sample"
        " join series using (series_id) join resource using (resource_id) join scope using (scope_id)"
        " where name = %s group by 1, 2 order by 1, 2",
        shared.scope,
    )
    assert narrow == [
        *((names.GC_COLLECTIONS, str(n), 4, 4, 10.0 * n, 10.0 * n) for n in range(3)),
        (names.OBJECTS_COUNT, "builtins.dict", 4, 4, 1000.0, 1000.0),
    ]
    assert "memwarden_collector_template_bytes 0" not in shared.client.get("/metrics").text
