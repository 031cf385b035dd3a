"""Simulated sidecars as a process: `python -m collector_load.senders PLAN` sends, and prints what came of it.

As fast as answers come, or at a constant rate: then a latency is counted from the moment that a request was due, so
that a collector that stalls can't hide it. Bounded in time and in requests. A batch keeps its id; what is refused for
now or lost on the way is sent again when the plan says so, until it is acknowledged or time is over.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from collector_load import skeletons
from collector_load.skeletons import Skeleton
from memwarden_api.names import BATCH_ID_HEADER, METRICS_PATH
from memwarden_sidecar.export.batch import BatchIds, compress

_AGAIN_SECONDS = 0.1
_WARM_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent. `kind` is `sidecar`, `gateway:SIDECARS` (a tick of each in one request), or `narrow:POINTS` or
    `narrow:POINTS:RESOURCES` a request.
    """

    url: str
    kind: str = "sidecar"
    senders: int = 1000
    connections: int = 16
    seconds: float = 10.0
    requests: int = 0
    """At most so many, 0 for any number."""
    rate: float = 0.0
    """Requests a second; 0: as fast as answers come."""
    prepare: int = 0
    """So many are made before the clock starts."""
    warm: int = 0
    """So many are sent before the clock starts: a collector that runs knows its senders and their series."""
    churn: int = 40
    """A sender is another process, with other strings and series, after so many of its requests."""
    again: bool = False
    """Whether what was not acknowledged is sent again, with its id."""
    url_file: str = ""
    """Where the URL stands now: a collector that is started again may have another port."""
    stop_file: str = ""
    """Ends the sending once it is there."""
    settle_seconds: float = 60.0
    """At the end, so long what is on its way may still be acknowledged."""
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What came of a plan."""

    sent: int = 0
    """Different batches."""
    acknowledged: int = 0
    points: int = 0
    """In acknowledged batches."""
    statuses: dict[str, int] = field(default_factory=dict)
    """By HTTP status; 0: no answer."""
    seconds: float = 0.0
    latencies: dict[str, float] = field(default_factory=dict)
    """Seconds by quantile, of acknowledged batches."""
    cpu_seconds: float = 0.0
    """Of the generator itself."""
    behind: float = 0.0
    """Seconds that it was late at worst: large means that the generator was the limit."""


@dataclass(slots=True)
class _Parcel:
    data: bytes
    points: int
    due: float = 0.0


class _Parcels:
    """Requests, one after another: each sender in turn."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._ids = BatchIds(time.time)
        self._number = 0
        self._ready: deque[_Parcel] = deque()
        self._known: dict[int, tuple[int, Skeleton]] = {}
        self._last = 0
        for _ in range(plan.prepare + plan.warm):
            self._ready.append(self._make())

    def next(self) -> _Parcel:
        return self._ready.popleft() if self._ready else self._make()

    def _make(self) -> _Parcel:
        plan = self._plan
        who, turn = self._number % plan.senders, self._number // plan.senders
        self._number += 1
        generation = (turn + who) // plan.churn
        known = self._known.get(who)
        if known is None or known[0] != generation:
            known = self._known[who] = (generation, _skeleton(plan.kind, who, generation))
        # Microseconds, as the store keeps them: no two requests of a generator have one time.
        self._last = max(self._last + 1000, time.time_ns() // 1000 * 1000)
        body = compress(known[1].at(self._last, self._random))
        head = (
            f"POST {METRICS_PATH} HTTP/1.1\r\nhost: collector\r\ncontent-type: application/x-protobuf\r\n"
            f"content-encoding: gzip\r\n{BATCH_ID_HEADER}: {self._ids.next()}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return _Parcel(head.encode() + body, known[1].points)


def _skeleton(kind: str, who: int, generation: int) -> Skeleton:
    name, *numbers = kind.split(":")
    if name == "sidecar":
        return skeletons.sidecar((who + generation) % 60).of(who, generation)
    if name == "gateway":
        pods = range(who * int(numbers[0]), (who + 1) * int(numbers[0]))
        return skeletons.gathered([_skeleton("sidecar", pod, generation) for pod in pods])
    return skeletons.narrow(*map(int, numbers)).of(who, generation)


class _Connection(asyncio.Protocol):
    """One connection that is kept: a request, its answer, the next."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open = True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._done(0)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        place = head.lower().find(b"content-length:")
        if place >= 0 and len(body) < int(head[place + 15 :].split(b"\r\n", 1)[0]):
            return
        self._data = b""
        self._done(int(head[9:12]))

    def send(self, data: bytes) -> "asyncio.Future[int]":
        """The status; 0 when the connection broke."""
        self._answer = asyncio.get_running_loop().create_future()
        assert self._transport is not None
        self._transport.write(data)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _done(self, status: int) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(status)


class _Generator:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcome = Outcome()
        self._parcels = _Parcels(plan)
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._begun = 0.0
        self._until = 0.0

    async def run(self) -> Outcome:
        if self.plan.warm:
            await self._warm_up()
        print("ready", flush=True)
        cpu, self._begun = time.process_time(), time.perf_counter()
        self._until = self._begun + self.plan.seconds
        lanes = [asyncio.create_task(self._lane(number)) for number in range(self.plan.connections)]
        await asyncio.gather(*lanes)
        outcome = self.outcome
        outcome.seconds = time.perf_counter() - self._begun
        outcome.cpu_seconds = time.process_time() - cpu
        outcome.statuses = {str(status): count for status, count in sorted(self._statuses.items())}
        outcome.latencies = quantiles(self._latencies)
        return outcome

    async def _warm_up(self) -> None:
        self._until = time.perf_counter() + _WARM_SECONDS
        left = iter(range(self.plan.warm))

        async def lane() -> None:
            connection: _Connection | None = None
            for _ in left:
                connection = await self._deliver(self._parcels.next(), connection, again=True)
            if connection is not None:
                connection.close()

        await asyncio.gather(*(lane() for _ in range(min(64, self.plan.connections))))
        assert self.outcome.acknowledged == self.plan.warm, f"warming up was refused: {self._statuses}"
        self.outcome = Outcome()
        self._statuses.clear()
        self._latencies.clear()

    def _stopped(self) -> bool:
        plan = self.plan
        if plan.requests and self.outcome.sent >= plan.requests:
            return True
        return time.perf_counter() >= self._until or bool(plan.stop_file and os.path.exists(plan.stop_file))

    async def _lane(self, number: int) -> None:
        """One connection's requests; at a constant rate each lane has its own moments."""
        plan = self.plan
        connection: _Connection | None = None
        turn = 0
        try:
            while not self._stopped():
                due = time.perf_counter()
                if plan.rate:
                    due = self._begun + (number + turn * plan.connections) / plan.rate
                    if due >= self._until:
                        break
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                    self.outcome.behind = max(self.outcome.behind, time.perf_counter() - due)
                turn += 1
                parcel = self._parcels.next()
                parcel.due = due
                self.outcome.sent += 1
                connection = await self._deliver(parcel, connection)
        finally:
            if connection is not None:
                connection.close()

    async def _deliver(
        self, parcel: _Parcel, connection: _Connection | None, *, again: bool = False
    ) -> _Connection | None:
        give_up = self._until + self.plan.settle_seconds
        while True:
            status = 0
            if connection is None or not connection.open:
                connection = await self._connect()
            if connection is not None:
                try:
                    status = await asyncio.wait_for(connection.send(parcel.data), 60)
                except TimeoutError:
                    connection.close()
                    connection = None
            self._statuses[status] += 1
            if status == 200:
                self.outcome.acknowledged += 1
                self.outcome.points += parcel.points
                self._latencies.append(time.perf_counter() - parcel.due)
                return connection
            if not (again or self.plan.again) or time.perf_counter() > give_up:
                return connection
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _connect(self) -> _Connection | None:
        url = self.plan.url
        if self.plan.url_file:
            try:
                url = Path(self.plan.url_file).read_text().strip()  # noqa: ASYNC240 - a line
            except OSError:
                return None
        address = urlsplit(url)
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, address.hostname, address.port
            )
        except OSError:
            return None
        return connection


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and the largest; empty for nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}
    last = len(ordered) - 1
    return {
        name: ordered[round(last * share)]
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1))
    }


class Sending:
    """A generator that runs. Wait for `result`."""

    def __init__(self, plan: Plan) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "collector_load.senders", json.dumps(asdict(plan))],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            text=True,
        )
        self._limit = plan.seconds + plan.settle_seconds + 120
        assert self._process.stdout is not None
        self._ready = self._process.stdout.readline()  # the requests are made, the clock starts

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def result(self) -> Outcome:
        out, _ = self._process.communicate(timeout=self._limit)
        assert self._process.returncode == 0, "the generator failed"
        return Outcome(**json.loads(out))

    def end(self) -> None:
        """At once, without a result."""
        if self.running:
            self._process.kill()
        self._process.wait(10)


def send(plan: Plan) -> Outcome:
    """All of a plan, in a process of its own."""
    sending = Sending(plan)
    try:
        return sending.result()
    finally:
        sending.end()


def bodies(kind: str, senders: int, count: int, seed: int = 1) -> Iterator[bytes]:
    """Requests as they are before they are compressed, for what needs no collector."""
    source = random.Random(seed)
    known = [_skeleton(kind, who, 0) for who in range(senders)]
    started = time.time_ns() // 1000 * 1000
    for number in range(count):
        yield known[number % senders].at(started + number * 1000, source)


def main(arguments: Sequence[str]) -> None:
    wanted: dict[str, Any] = json.loads(arguments[0])
    generator = _Generator(Plan(**wanted))
    print(json.dumps(asdict(asyncio.run(generator.run()))))


if __name__ == "__main__":
    main(sys.argv[1:])
