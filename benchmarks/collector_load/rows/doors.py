"""OTLP to rows that are committed, by HTTP and gRPC, in the collector's own CPU time; beside the OpenTelemetry
Collector, which takes the same requests, decodes them, and counts them (its debug exporter): it stores nothing.
"""

import hashlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc

from collector_load import running, senders
from collector_load.figure import Figure, Scale, interleaved, load_average
from collector_load.senders import Plan
from memwarden_api.names import BATCH_ID_HEADER
from memwarden_collector.otlp.signals import DOORS
from memwarden_sidecar.export.batch import BatchIds

ROW = "doors"
ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "collector" / "tests" / "opentelemetry_collector"
REFERENCE = "OpenTelemetry Collector 0.149 to its debug exporter, HTTP"
_START_SECONDS = 60
_CALLS = 48
"""At once: below what a connection of ours has streams for."""


def built() -> Path | None:
    """The OpenTelemetry Collector, built once for each state of its source; None where Go is not installed."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(SOURCE.iterdir()))).hexdigest()
    program = ROOT / "test-output" / f"otelcol-{digest[:16]}"
    go = shutil.which("go")
    if not program.exists() and go is not None:
        program.parent.mkdir(exist_ok=True)
        subprocess.run([go, "build", "-mod=readonly", "-o", program, "."], cwd=SOURCE, check=True)
    return program if program.exists() else None


@contextmanager
def opentelemetry_collector() -> Iterator[tuple[str, int] | None]:
    """URL and process id of one on one core's worth of Go, None where there is none."""
    program = built()
    if program is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    configuration = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"debug": {"verbosity": "basic", "sending_queue": {"enabled": False}}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            "pipelines": {"metrics": {"receivers": ["otlp"], "exporters": ["debug"]}},
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(configuration))
        process = subprocess.Popen([program, "--config", str(file)], stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + _START_SECONDS
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None, "it ended"
                assert time.monotonic() < until, "it is not ready"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(20)


def measure(scale: Scale) -> Iterator[Figure]:
    with running.collector("--grpc-listen", "127.0.0.1:0") as ours, opentelemetry_collector() as other:
        for name, kind, count, requests, target in (
            ("40 points a request", "narrow:40", 300, 5000, 359.0),
            ("a sidecar's tick", "sidecar", 300, 5000, None),
            ("1 000 points a request", "narrow:1000:25", 20, 300, None),
        ):
            plan = Plan(
                ours.url,
                kind,
                senders=count,
                connections=64,
                seconds=120,
                requests=scale.count(requests, 100),
                prepare=scale.count(requests, 100),
                warm=3 * count,
                churn=10**9,
            )
            ways: list[Callable[[], float]] = [lambda plan=plan: _rate(plan, ours.process.pid)]
            if other is not None:
                theirs = replace(plan, url=other[0])
                ways.append(lambda theirs=theirs: _rate(theirs, other[1]))
            found = interleaved(scale.rounds, *ways)
            yield Figure(
                ROW,
                f"HTTP, gzip, {name}",
                found[0],
                "k points a CPU second",
                target,
                reference=REFERENCE if other else "",
                reference_value=found[1] if other else None,
                note="" if other else "Go is not installed: no OpenTelemetry Collector to compare with",
                load=load_average(),
            )
        yield over_grpc(ours, scale)


def over_grpc(ours: running.Collector, scale: Scale) -> Figure:
    """gRPC beside HTTP, in turns."""
    count = scale.count(2000, 100)
    plan = Plan(
        ours.url,
        "narrow:40",
        senders=300,
        connections=_CALLS,
        seconds=120,
        requests=count,
        prepare=count,
        warm=900,
        churn=10**9,
    )
    found = interleaved(scale.rounds, lambda: _grpc_rate(ours, count), lambda: _rate(plan, ours.process.pid))
    return Figure(
        ROW,
        "gRPC, 40 points a request",
        found[0],
        "k points a CPU second",
        100.0,
        reference="the same over HTTP, gzip",
        reference_value=found[1],
        load=load_average(),
    )


def _rate(plan: Plan, pid: int) -> float:
    """Thousands of points for each CPU second of a process."""
    sending = senders.Sending(plan)
    try:
        before = running.cpu_of(pid)
        outcome = sending.result()
        used = running.cpu_of(pid) - before
    finally:
        sending.end()
    assert set(outcome.statuses) == {"200"}, outcome.statuses
    return outcome.points / used / 1e3


def _grpc_rate(ours: running.Collector, count: int) -> float:
    path = f"/{DOORS['/v1/metrics'].service}/Export"
    ids = BatchIds(time.time)
    bodies = list(senders.bodies("narrow:40", 300, 900 + count))
    with grpc.insecure_channel(ours.grpc) as channel:
        export = channel.unary_unary(path)

        def send(some: list[bytes]) -> None:
            for place in range(0, len(some), _CALLS):
                calls = [
                    export.future(body, timeout=60, metadata=((BATCH_ID_HEADER, ids.next()),))
                    for body in some[place : place + _CALLS]
                ]
                for call in calls:
                    call.result()

        send(bodies[:900])
        before = ours.cpu()
        send(bodies[900:])
        return 40 * count / (ours.cpu() - before) / 1e3
