"""Who has had his share is told to wait; who comes with him is not."""

import time
from typing import Any

import collector_requests as otlp
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from memwarden_api import names
from memwarden_collector.batch import ResourceBlock, ResourceId
from memwarden_collector.errors import OverQuota
from memwarden_collector.otlp.quota import Quota
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.otlp.status import Status
from memwarden_collector.settings import Limits


def request(*scopes: str, points: int = 10) -> ExportMetricsServiceRequest:
    message = ExportMetricsServiceRequest()
    for scope in scopes:
        own = [(f"m{number}", 1.0, {}) for number in range(points)]
        otlp.add_resource(message, otlp.scope_attributes(scope), time.time(), own)
    return message


def test_a_scope_over_its_quota_is_429_and_others_go_on(start: Any, database_url: str, rows: Any) -> None:
    # Ten rows at once, then one in ten thousand seconds: no machine is that slow.
    options = ("--max-scope-points-per-second", "0.0001", "--quota-burst-seconds", "100000")
    collector = start(database_url, *options)
    for _ in range(3):  # the second is taken on credit, or a large request could never come through
        last = otlp.post_metrics(collector.client, request("greedy"))
    assert last.status_code == 429
    assert 1 <= int(last.headers["retry-after"]) <= 30
    status: Any = Status.FromString(last.content)
    assert status.code == 8
    assert "max_scope_points_per_second=0.0001" in status.message
    both = otlp.metrics_answer(
        otlp.post_metrics(collector.client, request("greedy", "modest"))
    ).partial_success
    assert both.rejected_data_points == 10
    assert "max_scope_points_per_second=0.0001" in both.error_message
    assert rows(
        "select name, count(*) from sample join series using (series_id) join resource using (resource_id)"
        " join scope using (scope_id) group by 1 order by 1"
    ) == [("greedy", 20), ("modest", 10)]
    text = collector.client.get("/metrics").text
    own = 'limit="max_scope_points_per_second",reason="scope_quota"'
    assert f'refused_total{{door="http",{own},status="429",value="0.0001"}} 1' in text
    assert f'rejected_total{{{own},signal="metrics",value="0.0001"}} 10' in text


def test_new_names_of_a_scope_are_bounded_and_known_ones_cost_nothing(start: Any, database_url: str) -> None:
    options = ("--max-scope-new-series", "15", "--max-scope-new-resources", "3")
    client = start(database_url, *options).client
    for _ in range(5):  # ten series, again and again
        assert otlp.post_metrics(client, request("steady")).status_code == 200
    # Two batches are within the limit and the credit; the third has to wait.
    for points, status in ((10, 200), (30, 200), (31, 429)):
        last = otlp.post_metrics(client, request("greedy", points=points))
        assert last.status_code == status, last.text
    assert "max_scope_new_series=15" in Status.FromString(last.content).message  # type: ignore[attr-defined]
    both = otlp.metrics_answer(otlp.post_metrics(client, request("greedy", "steady"))).partial_success
    assert both.rejected_data_points == 10
    assert "max_scope_new_series=15" in both.error_message
    for pid in range(1, 6):
        message = ExportMetricsServiceRequest()
        gauge = [(names.PROCESS_COUNT, 1.0, {})]
        otlp.add_resource(message, otlp.process_attributes("forks", pid), time.time(), gauge)
        last = otlp.post_metrics(client, message)
    assert last.status_code == 429
    assert "max_scope_new_resources=3" in Status.FromString(last.content).message  # type: ignore[attr-defined]
    text = client.get("/metrics").text
    assert 'limit="max_scope_new_series",reason="scope_new_series",status="429",value="15.0"' in text


def test_all_together_over_their_quota_are_429(start: Any, database_url: str) -> None:
    collector = start(database_url, "--max-points-per-second", "0.0001", "--quota-burst-seconds", "100000")
    for scope in ("one", "two"):
        assert otlp.post_metrics(collector.client, request(scope)).status_code == 200
    response = otlp.post_metrics(collector.client, request("three"))
    assert response.status_code == 429
    assert "max_points_per_second=0.0001" in Status.FromString(response.content).message  # type: ignore[attr-defined]


def blocks(*scopes: str) -> list[ResourceBlock]:
    made = []
    for scope in scopes:
        block = ResourceBlock(ResourceId(scope, "run", None, None, scope.encode()), {})
        block.wide = {moment: {"anon_bytes": 1.0} for moment in range(100)}
        block.items = 100
        made.append(block)
    return made


def test_a_bucket_fills_again_and_never_over_its_burst() -> None:
    quota = Quota(Limits(max_scope_points_per_second=10, quota_burst_seconds=15))
    rejections = Rejections("points")

    def taken(now: float) -> int | float:
        try:
            return sum(block.rows for block in quota.take(blocks("a"), rejections, now))
        except OverQuota as refused:
            return -refused.retry_seconds

    assert taken(0) == 100
    assert taken(0) == 100  # 50 were left
    assert taken(0) == -5.0
    assert taken(4.5) == -0.5
    assert taken(5.5) == 100
    assert taken(1000) == 100
    assert taken(1000) == 100
    assert taken(1000) == -5.0  # 150 were there, not 10 000
    assert [block.identity.scope for block in quota.take(blocks("a", "b"), rejections, 1000)] == ["b"]
    assert rejections.count == 100
    free = Quota(Limits(max_scope_points_per_second=0))
    assert all(len(free.take(blocks("a"), rejections, 0)) == 1 for _ in range(10_000))
