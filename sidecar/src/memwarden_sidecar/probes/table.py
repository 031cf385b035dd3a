"""A probe's table in the sidecar's words: seconds, and live memory by (stack, age) cell.

The bytes are the matter of `sources/probe_table.py`, which also checks seals, size and every number.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from memwarden_api import names
from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.sources.probe_table import Frame, ProbeTable, ProbeTableError, Site, TableHeader

__all__ = ["BUCKETS", "Cell", "Counters", "Frame", "Site", "Table", "cells_of"]

BUCKETS: Final = len(names.AGE_BOUNDS_SECONDS) + 1


class Cell(NamedTuple):
    """Live memory of one stack in one age bucket: estimated bytes and blocks, and the samples behind them."""

    age: int
    """Index of the bucket, by names.AGE_BOUNDS_SECONDS, the last open."""
    size: float
    blocks: float
    samples: int


@dataclass(frozen=True, slots=True)
class Counters:
    """The table's header. Sizes in bytes, times in seconds; live values include what was inherited."""

    pid: int
    parent_pid: int
    """At the start, or at the fork."""
    forked: bool
    """Whether this process began with a fork, not with exec: it may have inherited live memory."""
    average: int
    """Mean bytes between two samples, now."""
    rate_doublings: int
    """How often the probe had to double it because its table was full."""
    live_size: float
    live_samples: int
    allocated: int
    ticked: float
    """CLOCK_MONOTONIC of the last tick."""
    collections: tuple[int, ...]
    """Garbage collections by generation; () when not known."""
    cost: float
    """CPU time that the probe took."""
    off: bool
    """The probe switched itself off: what the table holds is not the present."""
    restraint: str
    """What the probe does less than it was asked to keep to its budget, a sentence; "" when nothing."""


class Table:
    """A published table. It stays readable after its process has ended, until it is closed.

    While it is open its memory counts to the process's cgroup: close it soon.
    """

    def __init__(self, descriptor: int) -> None:
        """Takes the descriptor over, or raises Unreadable and leaves it to the caller."""
        try:
            self._reader = ProbeTable.from_fd(descriptor)
        except (ProbeTableError, OSError) as error:
            raise Unreadable(str(error), denied=False) from None

    def counters(self) -> Counters:
        """Raises Unreadable."""
        try:
            header = self._reader.read_header()
        except (ProbeTableError, OSError) as error:
            raise Unreadable(str(error), denied=False) from None
        return Counters(
            pid=header.pid,
            parent_pid=header.parent_pid,
            forked=header.fork_ms > 0,
            average=header.average_bytes,
            rate_doublings=header.rate_doublings,
            live_size=header.live_bytes,
            live_samples=header.live_samples,
            allocated=header.allocated_bytes,
            ticked=header.tick_monotonic_ns / 1e9,
            collections=header.gc_collections if any(header.gc_collections) else (),
            cost=header.own_cost_ns / 1e9,
            off=header.switched_off,
            restraint=_restraint(header),
        )

    def sites(self) -> list[Site]:
        """All stacks with live samples, innermost frame first. Raises Unreadable."""
        try:
            return self._reader.read_sites()
        except (ProbeTableError, OSError) as error:
            raise Unreadable(str(error), denied=False) from None

    def close(self) -> None:
        self._reader.close()


def _restraint(header: TableHeader) -> str:
    over = f"it took {_percent(header.over_ppm)} of the process's CPU time, its budget is {_percent(header.budget_ppm)}"
    if header.switched_off:
        return f"{names.PROBE_SWITCHED_OFF}: even at 1 sample per {_size(header.average_bytes)} {over}"
    if header.thinnings and header.average_bytes > header.wanted_average:
        asked = f"1 per {_size(header.wanted_average)} was asked for"
        return f"sampling was thinned to 1 sample per {_size(header.average_bytes)} ({asked}): {over}"
    return ""


def _percent(millionths: int) -> str:
    return f"{millionths / 10_000:.3g} %"


def _size(count: int) -> str:
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"


def cells_of(site: Site, *, with_inherited: bool) -> list[Cell]:
    """A site by age, without empty buckets."""
    cells = []
    for age, own in enumerate(site.own):
        size, blocks, samples = own.bytes, own.blocks, own.samples
        if with_inherited and site.inherited:
            other = site.inherited[age]
            size, blocks, samples = size + other.bytes, blocks + other.blocks, samples + other.samples
        if samples > 0:
            cells.append(Cell(age, size, blocks, samples))
    return cells
