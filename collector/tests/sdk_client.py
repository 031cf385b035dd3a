"""An app that uses the OpenTelemetry SDK as it is: each instrument once, or one log record, exported once.

sdk_client.py metrics|logs http|grpc ADDRESS none|gzip|deflate cumulative|delta

A process of its own: the SDK starts threads in every child of its process, tests start PostgreSQL from theirs.
The token is in MEMWARDEN_TOKEN, the host that it says it is on in CLIENT_HOST. What the SDK warns of is on standard
error.
"""

import logging
import os
import sys
from typing import Any

import grpc
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

SECONDS = 60
HEADERS = {"authorization": f"Bearer {os.environ.get('MEMWARDEN_TOKEN', '')}"}
HTTP = {"none": Compression.NoCompression, "gzip": Compression.Gzip, "deflate": Compression.Deflate}
GRPC = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}
DELTA = dict.fromkeys((sdk.Counter, sdk.Histogram), AggregationTemporality.DELTA)


def exporter(door: str, address: str, compression: str, temporality: str) -> MetricExporter:
    more: dict[str, Any] = {"headers": HEADERS, "timeout": SECONDS}
    more |= {"preferred_temporality": DELTA} if temporality == "delta" else {}
    if door == "http":
        return HttpMetrics(f"{address}/v1/metrics", compression=HTTP[compression], **more)
    return GrpcMetrics(address, insecure=True, compression=GRPC[compression], **more)


def metrics(door: str, address: str, compression: str, temporality: str) -> None:
    reader = PeriodicExportingMetricReader(
        exporter(door, address, compression, temporality),
        export_interval_millis=1e9,
        export_timeout_millis=SECONDS * 1000,
    )
    views = [View(instrument_name="pause", aggregation=ExponentialBucketHistogramAggregation())]
    resource = Resource.create({"service.name": "checkout", "host.name": os.environ["CLIENT_HOST"]})
    provider = sdk.MeterProvider([reader], resource, views=views, shutdown_on_exit=False)
    made = provider.get_meter("test")

    def observe(_: CallbackOptions) -> list[Observation]:
        return [Observation(2.5, {"pool": "old"}), Observation(3, {"pool": "young"})]

    made.create_counter("requests").add(7, {"path": "/é", "codes": [200, 500]})
    made.create_up_down_counter("live").add(-3)
    made.create_gauge("level").set(1e-300)
    made.create_observable_gauge("heap", [observe])
    histogram, pause = made.create_histogram("latency"), made.create_histogram("pause")
    for value in (0.0, 4.0, 70.0):
        histogram.record(value)
        pause.record(value)
    reader.collect(SECONDS * 1000)
    os._exit(0)  # a shutdown would export all of it once more


def logs(door: str, address: str, compression: str, _: str) -> None:
    if door == "http":
        sender: Any = HttpLogs(f"{address}/v1/logs", headers=HEADERS, compression=HTTP[compression])
    else:
        sender = GrpcLogs(address, insecure=True, headers=HEADERS, compression=GRPC[compression])
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(sender))
    provider.get_logger("test").emit(body="out of memory")
    provider.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    {"metrics": metrics, "logs": logs}[sys.argv[1]](*sys.argv[2:])
