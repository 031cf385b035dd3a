"""The way of a request behind a door: inflate, weigh, parse, decode, look whose it is, ask the quota, store, answer.

It computes in a thread and is acknowledged after its commit. What a client has to know about a refusal is in the
exception, what an operator has to know is counted. A database that is away is never a fault of the request: that is
Overloaded.
"""

import asyncio
import hashlib
import random
import uuid
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final, Protocol

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from memwarden_api.names import BATCH_ID_HEADER
from memwarden_collector.access import own
from memwarden_collector.access.caller import WRITE, Access, Caller
from memwarden_collector.batch import Batch, ResourceBlock, Signal
from memwarden_collector.clock import Clock
from memwarden_collector.errors import DataRefused, Overloaded, Postponed, Refused, StoreError
from memwarden_collector.otlp.admission import Budget, Reservation
from memwarden_collector.otlp.commits import Commits
from memwarden_collector.otlp.compression import Compression, inflate, inflate_small
from memwarden_collector.otlp.encoding import Encoding
from memwarden_collector.otlp.quota import Quota
from memwarden_collector.otlp.rejections import Rejections, limit_labels
from memwarden_collector.otlp.signals import Door
from memwarden_collector.otlp.templates import Templates
from memwarden_collector.otlp.weight import check_weight
from memwarden_collector.settings import Limits
from memwarden_collector.snapshot_keeper import SnapshotKeeper
from memwarden_collector.telemetry import Telemetry

_JITTER_SECONDS: Final = 2.0  # so that clients don't come back in one wave
_MAX_RETRY_SECONDS: Final = 30.0


class Sink(Protocol):
    """Where batches go. The future ends after the commit: True stored, False seen before."""

    def submit(self, batch: Batch) -> Future[bool]:
        """Raises Overloaded when too much waits."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came through a door."""

    body: bytes
    compression: Compression
    encoding: Encoding
    key: bytes | None
    """The client's id of this batch."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A request that was read; `strangers` are those of its blocks that are not about the pod that sent it."""

    batch: Batch
    rejections: Rejections
    strangers: list[ResourceBlock]


class Intake:
    """All doors of a process share one."""

    def __init__(
        self,
        sink: Sink,
        limits: Limits,
        telemetry: Telemetry,
        clock: Clock,
        executor: Executor,
        access: Access,
        quota: Quota,
        keeper: SnapshotKeeper | None = None,
    ) -> None:
        self.limits = limits
        self.budget = Budget(limits.max_inflight_bytes)
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._executor = executor
        self._access = access
        self._keeper = keeper
        self._quota = quota
        self._templates = Templates(limits, clock.monotonic)
        self._commits = Commits(limits.commit_seconds)
        telemetry.gauge("inflight_bytes", lambda: self.budget.used)
        telemetry.gauge("template_bytes", lambda: self._templates.size)

    async def take(self, door: Door, sent: Sent, reservation: Reservation, caller: Caller) -> Message:
        """The answer, once the request is stored; `reservation` holds its bytes as sent. Raises Refused."""
        loop = asyncio.get_running_loop()
        if caller.pod is None and not await self._access.allows(caller, WRITE):
            raise Refused(
                403,
                f"the token of {caller.name} is bound to no pod, and {caller.name} may not {WRITE}, which reporting for"
                " others takes; a pod gets a bound token by a projected volume",
                reason="right",
            )
        decoded = self._decode_at_once(door, sent, caller)
        if decoded is None:
            decoded = await loop.run_in_executor(
                self._executor, self._decode, door, sent, reservation, caller
            )
        batch, rejections = decoded.batch, decoded.rejections
        if decoded.strangers:
            keep = await self._access.allows(caller, WRITE)
            batch = await loop.run_in_executor(self._executor, self._settle, decoded, caller, keep)
        await self._keep(batch, rejections)
        with self._telemetry.span(f"store {door.signal.name.lower()}", rows=batch.rows):
            await self._store(batch)
        rejections.report(self._telemetry, self.limits, door.signal.name.lower())
        return door.respond(rejections)

    def refused(self, refused: Refused, door: str) -> None:
        """Count a request that gets no answer but an error."""
        labels = limit_labels(refused.message, self.limits)
        self._telemetry.count(
            "refused_total", 1, status=str(refused.status), reason=refused.reason, door=door, **labels
        )

    def _decode_at_once(self, door: Door, sent: Sent, caller: Caller) -> _Decoded | None:
        """A small request of a known sender takes less than asking a thread to decode it; None for all others."""
        if not _by_template(door, sent.encoding):
            return None
        body = inflate_small(sent.body, sent.compression)
        blocks = None if body is None else self._templates.decode(body, self._clock.now())
        if body is None or blocks is None:
            return None
        return self._decoded(door, sent, body, blocks, Rejections("points"), caller)

    def _decode(self, door: Door, sent: Sent, reservation: Reservation, caller: Caller) -> _Decoded:
        body = inflate(sent.body, sent.compression, self.limits, reservation)
        reservation.grow(check_weight(body, sent.encoding, self.limits))
        blocks, rejections = self._blocks(door, sent.encoding, body)
        return self._decoded(door, sent, body, blocks, rejections, caller)

    def _decoded(
        self,
        door: Door,
        sent: Sent,
        body: bytes,
        blocks: list[ResourceBlock],
        rejections: Rejections,
        caller: Caller,
    ) -> _Decoded:
        strangers = [] if caller.pod is None else own.strangers(caller.pod, blocks)
        if not strangers:  # else it is not yet known which of them spend their quota
            blocks = self._quota.take(blocks, rejections, self._clock.monotonic())
        batch = Batch(sent.key or hashlib.sha256(body).digest(), door.signal, blocks)
        return _Decoded(batch, rejections, strangers)

    def _settle(self, decoded: _Decoded, caller: Caller, keep_strangers: bool) -> Batch:
        """What remains where not all is about the pod that sent it: all for who may write for others, else its own."""
        blocks = list(decoded.batch.blocks)
        if not keep_strangers:
            text = f"its resource is not of the pod {caller.pod}, whose token came with it"
            for block in decoded.strangers:
                decoded.rejections.reject(own.REASON, text, block.items)
            gone = {id(block) for block in decoded.strangers}
            blocks = [block for block in blocks if id(block) not in gone]
        blocks = self._quota.take(blocks, decoded.rejections, self._clock.monotonic())
        return Batch(decoded.batch.key, decoded.batch.signal, blocks)

    def _blocks(self, door: Door, encoding: Encoding, body: bytes) -> tuple[list[ResourceBlock], Rejections]:
        """By the sender's template where it has one, else by a walk."""
        now = self._clock.now()
        templates = self._templates if _by_template(door, encoding) else None
        if templates is not None and (known := templates.decode(body, now)) is not None:
            return known, Rejections("points")
        request = encoding.parse(door.request, body)
        blocks, rejections = door.decode(request, self.limits, now)
        if templates is not None and isinstance(request, ExportMetricsServiceRequest):
            templates.learn(body, request, now)
        return blocks, rejections

    async def _keep(self, batch: Batch, rejections: Rejections) -> None:
        """Chunks of snapshots go to the disk, before the rest is stored: they may come twice."""
        chunks = [chunk for block in batch.blocks for chunk in block.chunks]
        if not chunks:
            return
        if self._keeper is None:
            rejections.reject(
                "not_stored", "this collector keeps no snapshots: it needs --snapshot-folder", len(chunks)
            )
            return
        try:
            async with asyncio.timeout(self.limits.commit_seconds):
                loop = asyncio.get_running_loop()
                refused = await loop.run_in_executor(self._keeper.executor, self._keeper.keep, chunks)
        except TimeoutError:
            raise Overloaded(
                f"chunks were not written within commit_seconds={self.limits.commit_seconds:g};"
                " send them again later",
                reason="commit_seconds",
            ) from None
        except StoreError as error:
            raise Overloaded(f"{error}; send it again later", reason=type(error).__name__) from error
        except RuntimeError:  # its thread has ended
            raise Overloaded("the collector is stopping; send it again later", reason="stopping") from None
        for why, count in refused:
            rejections.reject(why.reason, why.text, count)

    async def _store(self, batch: Batch) -> None:
        signal = batch.signal.name.lower()
        if not any(block.rows for block in batch.blocks):
            self._telemetry.count("batches_total", signal=signal, result="empty")
            return
        try:
            # A batch that waits too long may still be committed; sent again it counts once.
            stored = await self._commits.wait(self._sink.submit(batch))
        except TimeoutError:
            raise Overloaded(
                f"the database did not commit within commit_seconds={self.limits.commit_seconds:g};"
                " send it again later",
                reason="commit_seconds",
            ) from None
        except DataRefused as error:
            raise Refused(400, str(error), reason="data") from error
        except StoreError as error:
            raise Overloaded(f"{error}; send it again later", reason=type(error).__name__) from error
        self._telemetry.count("batches_total", signal=signal, result="stored" if stored else "duplicate")
        if stored:
            self._telemetry.count("points_total", batch.rows, signal=signal)


def _by_template(door: Door, encoding: Encoding) -> bool:
    return door.signal is Signal.METRICS and encoding is Encoding.PROTOBUF


def batch_id(text: str | None) -> bytes | None:
    """The client's id of a batch, None without one; raises Refused (400)."""
    if text is None:
        return None
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise Refused(400, f"{BATCH_ID_HEADER} is not a UUID", reason="batch_id") from None


def retry_seconds(refused: Refused) -> float | None:
    """When the client may come again, jittered; None for what had better not come again."""
    if not isinstance(refused, Postponed):
        return None
    return min(_MAX_RETRY_SECONDS, refused.retry_seconds + random.uniform(0, _JITTER_SECONDS))  # noqa: S311 - jitter
