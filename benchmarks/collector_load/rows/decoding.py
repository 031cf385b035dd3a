"""Decoding of one request, in this process: by template, by the walk, and what the store behind it takes."""

import os
import time
from collections.abc import Iterator, Sequence

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector_load import running, senders
from collector_load.figure import Figure, Scale, interleaved, load_average
from memwarden_collector.batch import Batch, ResourceBlock, Signal
from memwarden_collector.clock import Clock
from memwarden_collector.otlp.metrics import decode_metrics
from memwarden_collector.otlp.templates import Templates
from memwarden_collector.settings import Limits
from memwarden_collector.store.connection import Database
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.writer import Writer

ROW = "decoding"
_GROUP = 100
_KINDS = (("40 points", "narrow:40", 1000, 3.0), ("a sidecar's tick", "sidecar", 1000, None))


class _Decoders:
    """Both ways over the same requests of 1 000 senders, one after another."""

    def __init__(self, kind: str, count: int, size: int) -> None:
        self._limits, clock = Limits(max_template_bytes=1 << 30), Clock()
        self._now = clock.now()
        self._templates = Templates(self._limits, clock.monotonic)
        bodies = list(senders.bodies(kind, count, 2 * count + size))
        for body in bodies[: 2 * count]:
            self._templates.learn(body, ExportMetricsServiceRequest.FromString(body), self._now)
        self._bodies = bodies[2 * count :]
        self.points = self._points(map(self._template, self._bodies))

    def template(self) -> float:
        """Points a CPU second."""
        return self._timed(self._template)

    def walk(self) -> float:
        return self._timed(self._walk)

    def batches(self) -> list[Batch]:
        return [Batch(os.urandom(16), Signal.METRICS, self._template(body)) for body in self._bodies]

    def _template(self, body: bytes) -> list[ResourceBlock]:
        found = self._templates.decode(body, self._now)
        assert found is not None, "it was not learnt"
        return found

    def _walk(self, body: bytes) -> list[ResourceBlock]:
        return decode_metrics(ExportMetricsServiceRequest.FromString(body), self._limits, self._now)[0]

    def _timed(self, decode: object) -> float:
        assert callable(decode)
        began = time.thread_time()
        for body in self._bodies:
            decode(body)
        return self.points / (time.thread_time() - began)

    @staticmethod
    def _points(decoded: Iterator[list[ResourceBlock]]) -> int:
        return sum(block.items for blocks in decoded for block in blocks)


def measure(scale: Scale) -> Iterator[Figure]:
    with running.database() as (url, pid, _):
        database = Database(url)
        with database.connect("benchmark") as connection:
            migrate(connection)
        for name, kind, count, target in _KINDS:
            decoders = _Decoders(kind, count, scale.count(3000, 300))
            writer = Writer(database, 1 << 30, 1 << 28)
            # Known to the writer, as a collector that runs knows its senders.
            _write(writer, decoders.batches(), decoders.points, pid)

            def write(writer: Writer = writer, decoders: _Decoders = decoders) -> float:
                return _write(writer, decoders.batches(), decoders.points, pid)

            template, walk, store = interleaved(scale.rounds, decoders.template, decoders.walk, write)
            load = load_average()
            yield Figure(
                ROW,
                f"{name}, by template",
                template / 1e6,
                "M points a CPU second",
                target,
                reference="the walk over upb's objects",
                reference_value=walk / 1e6,
                load=load,
            )
            yield Figure(
                ROW,
                f"{name}: CPU time of the store to that of decoding",
                template / store,
                "×",
                2.0,
                note=f"the store: COPY, ledger, ids and PostgreSQL itself, {store / 1e3:.0f} k points a CPU second",
                load=load,
            )


def _write(writer: Writer, batches: Sequence[Batch], points: int, pid: int) -> float:
    """Points a CPU second of writer and database together, in groups as they come under load."""
    began, before = time.thread_time(), running.cpu_of(pid, with_children=True)
    for place in range(0, len(batches), _GROUP):
        writer._commit(batches[place : place + _GROUP])
    used = time.thread_time() - began + running.cpu_of(pid, with_children=True) - before
    return points / used
