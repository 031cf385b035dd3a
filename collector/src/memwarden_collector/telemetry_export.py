"""The collector's own metrics and traces over OTLP, when OTEL_EXPORTER_OTLP_ENDPOINT (or that of one signal) is set.

OpenTelemetry's SDK is imported only then; it is the optional dependency `memwarden-collector[telemetry]`, configured by
its own environment variables. What can't be sent is dropped, and said once. It is never sent to the doors of this
process. By a Service it may come back to it: that is one small request a minute, and spans are made of nothing but
requests that are taken, so there is no loop that grows.
"""

import logging
import os
import resource as limits
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from memwarden_collector.telemetry import Telemetry

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

_log = logging.getLogger(__name__)
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = "memwarden-collector"
_STOP_SECONDS: Final = 1.0


class Export:
    """Runs until it is stopped."""

    def __init__(self, providers: Iterable[Any]) -> None:
        self._providers = list(providers)

    def stop(self) -> None:
        """Sends what is left, within a second: nobody's end waits for it longer."""

        def shut_down() -> None:
            for provider in self._providers:
                provider.shutdown()

        thread = threading.Thread(target=shut_down, name="telemetry", daemon=True)
        thread.start()
        thread.join(_STOP_SECONDS)


def start_export(telemetry: Telemetry, environ: Mapping[str, str], own: tuple[str, int]) -> Export | None:
    """None when nobody asked for it, or when it can't be: that is logged. `own` is where our doors are."""
    targets = {
        signal: found
        for signal in ("metrics", "traces")
        if (found := environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT") or environ.get(_ENDPOINT))
    }
    if not targets or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol != "http/protobuf":
        _log.error(
            "own telemetry is sent by http/protobuf, not by %s: set OTEL_EXPORTER_OTLP_PROTOCOL", protocol
        )
        return None
    for signal, target in list(targets.items()):
        if leads_to(target, own):
            _log.warning("%s leads to this collector itself: its own %s are not sent", target, signal)
            del targets[signal]
    if not targets:
        return None
    try:
        return _start(telemetry, targets, metadata.version(_NAME))
    except ImportError as error:
        _log.error("own telemetry needs memwarden-collector[telemetry]: %s", error)
        return None


def leads_to(target: str, own: tuple[str, int]) -> bool:
    """Whether a URL leads to our own port on an address of this machine."""
    address = urlsplit(target)
    port = address.port or _DEFAULT_PORTS.get(address.scheme, 0)
    if port != own[1] or not address.hostname:
        return False
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(address.hostname, port, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return any(_is_ours(str(one)) for one in found)


def _is_ours(address: str) -> bool:
    """Only an address of this machine can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _start(telemetry: Telemetry, targets: Mapping[str, str], version: str) -> Export:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    _say_once("opentelemetry")
    resource = Resource.create(
        {
            "service.name": _NAME,
            "service.version": version,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        }
    )
    providers: list[Any] = []
    if "metrics" in targets:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        _observe(telemetry, meters.get_meter(_NAME, version))
        providers.append(meters)
    if "traces" in targets:
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        tracer = tracers.get_tracer(_NAME, version)

        @contextmanager
        def span(name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
            with tracer.start_as_current_span(name, attributes=dict(attributes)):
                yield

        telemetry.trace_by(span)
        providers.append(tracers)
    _log.info("own %s go to %s", " and ".join(targets), ", ".join(sorted(set(targets.values()))))
    return Export(providers)


def _observe(telemetry: Telemetry, meter: Any) -> None:
    """Every number of /metrics under its name with dots, and what the process takes."""
    from opentelemetry.metrics import Observation

    def counts(name: str) -> "Callable[[CallbackOptions], Iterable[Observation]]":
        return lambda _: [Observation(value, dict(labels)) for labels, value in telemetry.counts(name)]

    for name, kind, text in telemetry.described():
        make = meter.create_observable_counter if kind == "counter" else meter.create_observable_gauge
        make(name.removesuffix("_total").replace("_", ".", 2), [counts(name)], description=text)
    meter.create_observable_counter(
        "process.cpu.time", [lambda _: [Observation(time.process_time(), {})]], unit="s"
    )
    meter.create_observable_up_down_counter(
        "process.memory.usage", [lambda _: [Observation(_resident(), {})]], unit="By"
    )


def _resident() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * limits.getpagesize()
    except OSError:
        return limits.getrusage(limits.RUSAGE_SELF).ru_maxrss << 10


class _Once(logging.Handler):
    """What the SDK complains of, once for each of its parts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in self._said:
            return
        self._said.add(record.name)
        text = " ".join(record.getMessage().split())[:500]
        _log.warning("own telemetry: %s; it is dropped and tried again, this is not said again", text)


def _say_once(logger: str) -> None:
    found = logging.getLogger(logger)
    found.handlers = [_Once()]
    found.propagate = False
