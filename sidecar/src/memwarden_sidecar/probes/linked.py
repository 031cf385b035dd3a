"""Linked processes: those whose probe has said hello, each with its table, from hello to the end.

A connection that ends says little: a program may close all descriptors and live on. Its table stays open and
is read on; the probe connects again. A process has ended when /proc says so. Then its table, which outlives
even SIGKILL, is read once more by `on_last_sight`, and given back. A process that says goodbye is read at
that moment: what follows is the interpreter taking itself apart.

Exec keeps the process and replaces the program: the next hello replaces the table.

What a forked process inherited lies in the parent's table too. It counts to the nearest living ancestor that
has a table; without one, to the eldest living process of the same parent.
"""

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from memwarden_sidecar.errors import Refused, Unreadable
from memwarden_sidecar.notices import LOGGER, Notices
from memwarden_sidecar.probes.bounded import BoundsInCode
from memwarden_sidecar.probes.census import Census, CensusSchedule
from memwarden_sidecar.probes.connection import Connection
from memwarden_sidecar.probes.hello import Hello
from memwarden_sidecar.probes.suspicion import Suspicion
from memwarden_sidecar.probes.table import Counters, Site, Table
from memwarden_sidecar.schedule import census_interval
from memwarden_sidecar.settings import MAX_CONNECTIONS
from memwarden_sidecar.sources.proc_files import ProcessKey, ProcFolder, Stat

ANCESTORS: Final = 4096
"""Parents that are remembered of processes that have ended."""
SAMPLING_REQUEST: Final = 50
"""Id of requests for another rate; censuses count from above it."""
GENERATIONS: Final = 64
"""Steps up from a process to an ancestor, at most."""


@dataclass(slots=True, eq=False)
class Linked:
    """One process that has said hello."""

    key: ProcessKey
    hello: Hello
    table: Table | None
    """None: it is watched from outside, `hello.reason` says why."""
    connection: Connection | None
    census: CensusSchedule
    bounds: BoundsInCode
    suspicion: Suspicion
    counted: Census | None = None
    """A census that has not been sent yet."""
    inherited_size: float = 0.0
    inherited_samples: int = 0
    """Of the live values: what came with the fork, as of the last reading of sites."""
    sites_read: bool = False
    said_goodbye: bool = False
    has_ended: bool = False
    """It was seen for the last time: it is gone, or takes itself apart."""
    last: Counters | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SamplingOrder:
    """Somebody wants another rate for a while; no suspicion changes it meanwhile."""

    pid: int | None
    average: int
    until: float

    def applies_to(self, linked: Linked) -> bool:
        return self.pid in (None, linked.key.pid)


class LinkedProcesses:
    """The book of linked processes; the door's host. Not thread-safe."""

    def __init__(
        self,
        proc: ProcFolder,
        notices: Notices,
        elapsed: Callable[[], float],
        interval: float,
        sampling_bytes: int | None,
        on_arrival: Callable[[Stat], None],
        on_last_sight: Callable[[Linked], None],
    ) -> None:
        self._proc = proc
        self._notices = notices
        self._elapsed = elapsed
        self._interval = interval
        self._sampling_bytes = sampling_bytes
        self._on_arrival = on_arrival
        self._on_last_sight = on_last_sight
        self._by_pid: dict[int, Linked] = {}
        self._order: SamplingOrder | None = None
        self._parents: OrderedDict[int, int] = OrderedDict()

    # ── What connections say (Host) ──────────────────────────────────────────────────────────────────

    def arrived(self, connection: Connection) -> None:
        hello = connection.hello
        assert hello is not None
        if connection.pid <= 0:
            raise Refused("pid-not-visible", "it runs in a process namespace that is not visible from here")
        try:
            stat = self._proc.stat(connection.pid)
        except Unreadable:
            raise Refused("gone", "the process ended before its hello was read") from None
        key = stat.key
        before = self._by_pid.get(key.pid)
        if before is None and len(self._by_pid) >= MAX_CONNECTIONS:
            raise Refused("full", "too many processes are linked")
        table = self._map(connection, hello)
        census = CensusSchedule.starting(self._elapsed(), census_interval(self._interval))
        if before is not None:
            self._replace(before, key)
            if before.key == key:  # who connects again and again is not asked more often for it
                census.next_due = before.census.next_due
        bounds = BoundsInCode(partial(self._proc.source, key.pid))
        linked = Linked(key, hello, table, connection, census, bounds, Suspicion(self._sampling_bytes))
        self._by_pid[key.pid] = linked
        connection.send(self._answer(linked))
        self._on_arrival(stat)
        LOGGER.debug(
            "process %d of user %d said hello: %s %s %s",
            key.pid, connection.uid, hello.runtime, hello.version, hello.reason,
        )  # fmt: skip

    def _map(self, connection: Connection, hello: Hello) -> Table | None:
        descriptor = connection.take("table")
        if descriptor is None:
            if hello.hooked:
                raise Refused("no-table", "hello promises sites and brings no descriptor")
            return None
        if not hello.hooked:
            os.close(descriptor)
            self._notices.count("unexpected-descriptors")
            return None
        try:
            return Table(descriptor)
        except Unreadable as error:
            os.close(descriptor)
            raise Refused("bad-table", str(error)) from None

    def _replace(self, before: Linked, key: ProcessKey) -> None:
        if before.key != key:
            self._see_last(before)
        self._by_pid.pop(before.key.pid, None)
        before.connection = None
        _unmap(before)

    def _answer(self, linked: Linked) -> bytes:
        average = self._sampling_bytes
        counters = self.counters(linked)
        if counters is not None and (average is None or counters.rate_doublings):
            # Doublings kept its table from overflowing: never below.
            average = max(average or 0, counters.average)
        if (order := self._order) is not None and order.applies_to(linked) and counters is not None:
            linked.suspicion.usual = linked.suspicion.usual or counters.average
            average = max(order.average, _least(linked))
        result = {} if average is None else {"average_bytes": average}
        answer = {"jsonrpc": "2.0", "id": linked.hello.id, "result": result}
        return json.dumps(answer).encode() + b"\n"

    def answered(self, connection: Connection, message: Mapping[str, object]) -> None:
        linked = self._by_pid.get(connection.pid)
        if linked is None or linked.connection is not connection:
            return
        if message.get("id") == SAMPLING_REQUEST:
            if "error" in message:
                self._notices.count("sampling-refused")
            return
        counted = linked.census.accept(message)
        if counted is not None:
            linked.counted = linked.bounds.applied(counted, partial(self._own_files, linked))
        elif "error" in message:
            self._notices.count("census-refused")

    def goodbye(self, connection: Connection) -> None:
        linked = self._by_pid.get(connection.pid)
        if linked is not None and linked.connection is connection and not linked.said_goodbye:
            self._see_last(linked)
            linked.said_goodbye = True

    def left(self, connection: Connection) -> None:
        linked = self._by_pid.get(connection.pid)
        if linked is not None and linked.connection is connection:
            linked.connection = None

    # ── What the tick asks ───────────────────────────────────────────────────────────────────────────

    def __iter__(self) -> Iterator[Linked]:
        return iter(tuple(self._by_pid.values()))

    def get(self, key: ProcessKey) -> Linked | None:
        linked = self._by_pid.get(key.pid)
        return linked if linked is not None and linked.key == key else None

    def pids(self) -> list[int]:
        return list(self._by_pid)

    @property
    def is_connected(self) -> bool:
        """Whether a probe is at the other end of a connection."""
        return any(linked.connection is not None for linked in self._by_pid.values())

    def remember_parents(self, parents: Mapping[int, int]) -> None:
        """Process ids to those of their parents, of processes seen for the first time: a daemon's first
        parent tells where it comes from."""
        for pid, parent in parents.items():
            self._parents.pop(pid, None)  # an id that is used again
            self._parents[pid] = parent
            if len(self._parents) > ANCESTORS:
                self._parents.popitem(last=False)

    def bury_ended(self) -> None:
        """See the ended for the last time. Cheap for those whose connection stands."""
        for linked in self:
            if linked.connection is None and not self._is_alive(linked.key):
                if not linked.said_goodbye:
                    self._see_last(linked)
                del self._by_pid[linked.key.pid]
                _unmap(linked)

    def _is_alive(self, key: ProcessKey) -> bool:
        try:
            stat = self._proc.stat(key.pid)
        except Unreadable:
            return False
        return stat.key == key and not stat.ended

    def ask_for_censuses(self) -> None:
        """Send the questions that are due."""
        now = self._elapsed()
        for linked in self:
            if linked.connection is not None and "census" in linked.hello.capabilities:
                question = linked.census.question(now)
                if question is not None and not linked.connection.send(question):
                    self._notices.count("census-not-asked")

    def ask_for_samples(self) -> None:
        """Once a tick: more samples of a heap that rises slowly, the usual when it has stopped.

        A probe that samples less than it was asked to, for its budget or its table, is left alone.
        """
        for linked in self:
            seen = linked.last
            if linked.connection is None or linked.table is None or seen is None:
                continue
            if self._order is not None and self._order.applies_to(linked):
                continue
            if seen.off or seen.restraint or seen.rate_doublings:
                continue
            wanted = linked.suspicion.wish(seen.live_size, seen.average)
            if wanted is None:
                continue
            _ask_to_sample(linked, wanted)

    # ── What somebody orders ─────────────────────────────────────────────────────────────────────────

    def ask_for_census_now(self, pid: int | None) -> list[Linked]:
        """Those that were asked, or have not answered yet."""
        asked = []
        for linked in self:
            if linked.connection is None or "census" not in linked.hello.capabilities:
                continue
            if pid in (None, linked.key.pid):
                linked.census.next_due = self._elapsed()
                asked.append(linked)
        self.ask_for_censuses()
        return asked

    def order_sampling(self, pid: int | None, average: int, seconds: float) -> int:
        """One sample in so many bytes for so long, then as before; how many processes were asked.

        A later order takes the place of an earlier one.
        """
        self.end_order(now=True)
        self._order = SamplingOrder(pid, average, self._elapsed() + seconds)
        count = 0
        for linked in self:
            counters = self.counters(linked)
            if (
                counters is None
                or counters.off
                or linked.connection is None
                or not self._order.applies_to(linked)
            ):
                continue
            linked.suspicion.usual = linked.suspicion.usual or counters.average
            # Doublings kept its table from overflowing: never below.
            count += _ask_to_sample(linked, max(average, _least(linked)))
        return count

    def end_order(self, *, now: bool = False) -> None:
        """Go back to what was before, where the time is up."""
        order = self._order
        if order is None or not (now or self._elapsed() >= order.until):
            return
        self._order = None
        for linked in self:
            before = linked.suspicion.asked or linked.suspicion.usual
            if order.applies_to(linked) and linked.table is not None and before is not None:
                _ask_to_sample(linked, max(before, _least(linked)))

    def counters(self, linked: Linked) -> Counters | None:
        """The header now, else as it was last. After goodbye it stays as it was then."""
        if linked.table is not None and not linked.said_goodbye:
            try:
                linked.last = linked.table.counters()
            except Unreadable as error:
                self._unusable(linked, error)
        return linked.last

    def sites(self, linked: Linked) -> list[Site]:
        """All sites; notes how much of them was inherited."""
        if linked.table is None or linked.said_goodbye:
            return []
        try:
            sites = linked.table.sites()
        except Unreadable as error:
            self._unusable(linked, error)
            return []
        linked.inherited_size = sum(site.inherited_bytes for site in sites)
        linked.inherited_samples = sum(site.inherited_samples for site in sites)
        linked.sites_read = True
        return sites

    def _own_files(self, linked: Linked) -> set[str]:
        """Files of its own code, no library's, that what lives was allocated by."""
        libraries = tuple(f"{prefix.rstrip('/')}/" for prefix in linked.hello.library_prefixes)
        found = {file for site in self.sites(linked) for file, *_ in site.frames}
        return {file for file in found if file.endswith(".py") and not file.startswith(libraries)}

    def _unusable(self, linked: Linked, error: Exception) -> None:
        self._notices.once(
            "table-unreadable", f"the table of process {linked.key.pid} could not be read this time: {error}"
        )

    def counts_inherited(self, linked: Linked) -> bool:
        """Whether the inherited part counts to this process: nobody nearer to its origin is left."""
        if linked.last is None or not linked.last.forked:
            return True
        origin = linked.last.parent_pid
        pid = origin
        for _ in range(GENERATIONS):
            ancestor = self._by_pid.get(pid)
            if (
                ancestor is not None
                and ancestor.table is not None
                and ancestor.key.start_ticks <= linked.key.start_ticks
            ):
                return False
            if pid not in self._parents:
                break
            pid = self._parents[pid]
        heirs = [
            other.key
            for other in self._by_pid.values()
            if other.last is not None and other.last.forked and other.last.parent_pid == origin
        ]
        return linked.key == min(heirs, key=lambda key: (key.start_ticks, key.pid))

    def _see_last(self, linked: Linked) -> None:
        linked.has_ended = True
        if linked.table is not None:
            self._on_last_sight(linked)

    def close(self) -> None:
        for linked in self:
            _unmap(linked)
        self._by_pid.clear()


def _unmap(linked: Linked) -> None:
    if linked.table is not None:
        linked.table.close()
        linked.table = None


def _least(linked: Linked) -> int:
    """Bytes between two samples, below which its table would overflow."""
    return linked.last.average if linked.last is not None and linked.last.rate_doublings else 0


def _ask_to_sample(linked: Linked, average: int) -> bool:
    """Whether its probe was told."""
    request = {
        "jsonrpc": "2.0",
        "id": SAMPLING_REQUEST,
        "method": "set_sampling",
        "params": {"average_bytes": average},
    }
    LOGGER.debug("process %d: one sample in %d bytes is asked for", linked.key.pid, average)
    return linked.connection is not None and linked.connection.send(json.dumps(request).encode() + b"\n")
