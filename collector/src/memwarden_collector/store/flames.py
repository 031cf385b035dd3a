"""What the profiles of a scope say, summed in the database: a flame graph, growth between two moments, the top sites.

A profile is one row, so a moment of a process is one read by index; the sums are made where the rows are, and what
leaves the database is as long as the answer. Which profile stands for a moment is the same as in a report: the newest
one of each process that had not ended by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memwarden_api import names
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.past import read_frames, read_stacks
from memwarden_core.code import site_frame
from memwarden_core.recording import Frame, Stack

MAX_NODES: Final = 8000
MAX_STACKS: Final = 2000
MAX_SITES: Final = 500
_PROFILES: Final = 200
"""Profiles of one process that a range reads: evenly chosen, the first and the last among them."""
_ROWS: Final = 200_000
"""Stacks of processes whose sites are named for one answer, the heaviest ones."""


@dataclass(frozen=True, slots=True)
class FlameNode:
    """A frame under its callers, with all below it. A parent comes before its children."""

    parent: int
    """Its place in the list, -1 for the root."""
    frame: Frame | None
    """None for the root, which holds everything."""
    live_bytes: int
    self_bytes: int
    """Allocated by this very frame."""
    blocks: int
    samples: int


@dataclass(frozen=True, slots=True)
class StackGrowth:
    stack: Stack
    before_bytes: int
    after_bytes: int
    after_samples: int

    @property
    def growth(self) -> int:
        return self.after_bytes - self.before_bytes


@dataclass(frozen=True, slots=True)
class SiteUse:
    """A line of the user's own code over a range of time, over all processes and stacks."""

    frame: Frame
    mean_bytes: float
    first_bytes: int
    last_bytes: int
    last_samples: int


# What counts for a moment (at, named by its parameter): the newest profile of each process that lived.
_CHOSEN: Final = """
  select profile.* from (
    select resource_id, attrs, seen_last as scope_last, gap, (select max(last) from (
      select max(ts) as last from mem_sample where mem_sample.resource_id = r.resource_id
      union all select max(ts) from profile where profile.resource_id = r.resource_id) t) as last
    from (
      select resource_id, attrs, scope.seen_last, make_interval(secs => coalesce(interval_seconds, 1)) as gap
      from resource join scope using (scope_id)
      where scope_id = %(scope)s and pid is not null and (%(pid)s::integer is null or pid = %(pid)s)
    ) r
  ) process, lateral (
    select * from profile where profile.resource_id = process.resource_id and ts <= to_timestamp({at}) + gap
    order by ts desc limit 1
  ) profile
  where last >= to_timestamp({at}) - 3 * gap
  or not (attrs ? %(ended)s or scope_last - last > greatest(3.5 * gap, interval '3 seconds'))"""
_WEIGHTS: Final = """
  select stack_id, sum(live)::bigint as live, sum(n)::bigint as blocks, sum(seen)::bigint as samples
  from ({chosen}) chosen, unnest(chosen.stacks, chosen.live_bytes, chosen.blocks, chosen.samples)
    cell(stack_id, live, n, seen)
  group by stack_id"""


def _weights(at: str) -> str:
    return _WEIGHTS.format(chosen=_CHOSEN.format(at=f"%({at})s"))


def flame_graph(
    connection: Connection, scope_id: int, at: float, pid: int | None = None, most: int = MAX_NODES
) -> list[FlameNode]:
    """The nodes with most live bytes at a moment (Unix seconds), the root first; empty where there is no profile."""
    rows = connection.execute(
        # Stacks have the innermost frame first: frames[k:] is the way from the k-th to the outermost one.
        "select * from (select frames[k:] as path, sum(live)::bigint as live,"  # noqa: S608 - constants
        " coalesce(sum(live) filter (where k = 1), 0)::bigint as own, sum(blocks)::bigint, sum(samples)::bigint"
        f" from ({_weights('at')}) weight join stack using (stack_id), generate_series(1, cardinality(frames) + 1) k"
        # No child has more than its parent: whatever is cut off, what is left is one tree.
        " group by 1) node order by live desc, cardinality(path) limit %(most)s",
        _parameters(scope_id, pid, at=at, most=most),
    ).fetchall()
    frames = read_frames(connection, {row[0][0] for row in rows if row[0]})
    places: dict[tuple[int, ...], int] = {}
    nodes: list[FlameNode] = []
    for path, live, own, blocks, samples in rows:
        places[tuple(path)] = len(nodes)
        parent = places[tuple(path[1:])] if path else -1
        nodes.append(FlameNode(parent, frames[path[0]] if path else None, live, own, blocks, samples))
    return nodes


def growth(
    connection: Connection,
    scope_id: int,
    before: float,
    after: float,
    pid: int | None = None,
    most: int = MAX_STACKS,
) -> list[StackGrowth]:
    """Stacks of two moments (Unix seconds), what grew most first, what shrank most last."""
    rows = connection.execute(
        "select stack_id, coalesce(b.live, 0), coalesce(a.live, 0), coalesce(a.samples, 0)"  # noqa: S608 - constants
        f" from ({_weights('before')}) b full join ({_weights('after')}) a using (stack_id)"
        " order by abs(coalesce(a.live, 0) - coalesce(b.live, 0)) desc, stack_id limit %(most)s",
        _parameters(scope_id, pid, before=before, after=after, most=most),
    ).fetchall()
    stacks = read_stacks(connection, [row[0] for row in rows])
    found = [StackGrowth(stacks[number], *values) for number, *values in rows]
    return sorted(found, key=lambda one: -one.growth)


def top_sites(
    connection: Connection,
    scope_id: int,
    start: float,
    end: float,
    pid: int | None = None,
    most: int = MAX_SITES,
) -> list[SiteUse]:
    """Sites by their mean live bytes between two moments (Unix seconds), the heaviest first.

    The mean is each process' own over its profiles in that time, summed over processes.
    """
    rows = connection.execute(
        _SITES, _parameters(scope_id, pid, start=start, end=end, step=_PROFILES, most=_ROWS)
    )
    found = rows.fetchall()
    stacks = read_stacks(connection, {row[1] for row in found})
    prefixes = _prefixes(connection, {row[0] for row in found})
    uses: dict[Frame, list[float]] = {}
    for resource_id, stack_id, *values in found:
        frame = site_frame(stacks[stack_id], prefixes[resource_id])
        if frame is not None:
            total = uses.setdefault(frame, [0.0] * len(values))
            uses[frame] = [one + float(more) for one, more in zip(total, values, strict=True)]
    items = [
        SiteUse(frame, mean, int(first), int(last), int(n)) for frame, (mean, first, last, n) in uses.items()
    ]
    items.sort(key=lambda one: (-one.mean_bytes, one.frame))
    return items[:most]


_SITES: Final = """
with profiles as (
  select profile_id, ts, resource_id, row_number() over (partition by resource_id order by ts, profile_id) as place,
    count(*) over (partition by resource_id) as places
  from profile join resource using (resource_id)
  where scope_id = %(scope)s and pid is not null and (%(pid)s::integer is null or pid = %(pid)s)
    and ts between to_timestamp(%(start)s) and to_timestamp(%(end)s)
), chosen as (
  select *, count(*) over (partition by resource_id) as moments from profiles
  where places <= %(step)s or place in (1, places) or (place - 1) %% (1 + places / %(step)s) = 0
)
select resource_id, stack_id, sum(live)::float8 / max(moments) as mean,
  coalesce(sum(live) filter (where place = 1), 0)::bigint, coalesce(sum(live) filter (where place = places), 0)::bigint,
  coalesce(sum(seen) filter (where place = places), 0)::bigint
from (
  select chosen.*, p.stacks, p.live_bytes, p.samples as counts from chosen join profile p
  on p.profile_id = chosen.profile_id and p.ts = chosen.ts
  and p.ts between to_timestamp(%(start)s) and to_timestamp(%(end)s)
) whole, unnest(stacks, live_bytes, counts) cell(stack_id, live, seen)
group by resource_id, stack_id order by mean desc, resource_id, stack_id limit %(most)s"""


def _parameters(scope_id: int, pid: int | None, **more: float) -> dict[str, Any]:
    return {"scope": scope_id, "pid": pid, "ended": names.PROCESS_ENDED, **more}


def _prefixes(connection: Connection, resources: set[int]) -> Mapping[int, Sequence[str]]:
    """Folders of library code, by process."""
    rows = connection.execute(
        "select resource_id, attrs->%s from resource where resource_id = any(%s)",
        [names.CODE_LIBRARY_PREFIXES, list(resources)],
    ).fetchall()
    return {number: [str(one) for one in found] if isinstance(found, list) else [] for number, found in rows}
