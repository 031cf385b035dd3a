"""What a kubelet told, as the request that a sidecar would have sent: it goes the same way from there."""

from collections.abc import Sequence

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, ScopeMetrics

from memwarden_api import names
from memwarden_api.scopes import container_scope
from memwarden_kube.kubelet import ContainerUse


def request_of(uses: Sequence[ContainerUse], interval: float) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    for use in uses:
        resource = request.resource_metrics.add()
        resource.resource.attributes.extend(_attributes(use, interval))
        scope, at = resource.scope_metrics.add(), round(use.at * 1000) * 1_000_000
        _gauge(scope, names.MEMORY_ANON, at, use.values["anon_bytes"])
        if (limit := use.values.get("limit_bytes")) is not None:
            _gauge(scope, names.MEMORY_LIMIT, at, limit, {names.LIMIT_SOURCE: "cgroup"})
        for metric, unit, value in (
            (names.CPU_TIME, "s", use.values.get("cpu_seconds")),
            (names.MEMORY_OOM_EVENTS, "{event}", use.values.get("oom_events")),
        ):
            if value is not None:
                _sum(scope, metric, unit, at, value)
    return request


def _attributes(use: ContainerUse, interval: float) -> list[KeyValue]:
    texts = {
        names.SCOPE_ID: container_scope(use.namespace, use.pod, use.pod_uid, use.container, use.life),
        names.SCOPE_KIND: names.SCOPE_KIND_CONTAINER,
        names.SOURCE: names.SOURCE_KUBELET,
        names.SERVICE_NAME: use.container,
        names.K8S_NAMESPACE: use.namespace,
        names.K8S_POD: use.pod,
        names.K8S_POD_UID: use.pod_uid,
        names.K8S_CONTAINER: use.container,
    }
    told = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in texts.items()]
    return [*told, KeyValue(key=names.SAMPLE_INTERVAL, value=AnyValue(double_value=interval))]


def _gauge(
    scope: ScopeMetrics, name: str, at: int, value: float, attributes: dict[str, str] | None = None
) -> None:
    point = scope.metrics.add(name=name, unit="By").gauge.data_points.add(time_unix_nano=at, as_double=value)
    for key, text in (attributes or {}).items():
        point.attributes.add(key=key, value=AnyValue(string_value=text))


def _sum(scope: ScopeMetrics, name: str, unit: str, at: int, value: float) -> None:
    total = scope.metrics.add(name=name, unit=unit).sum
    total.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    total.is_monotonic = True
    total.data_points.add(time_unix_nano=at, as_double=value)
