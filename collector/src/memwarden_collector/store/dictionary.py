"""Names to numbers: ids of scopes, resources, series and stacks, made once and remembered.

A name that the caches don't know is looked up, and inserted if it is new. Several collectors may insert the
same name at once: the second waits, inserts nothing and reads the first one's id. Rows are inserted in the
order of their fingerprints, so that two of them can't wait for each other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from memwarden_collector.batch import (
    Attributes,
    Line,
    ResourceBlock,
    SeriesId,
    SeriesInfo,
    SeriesSet,
    StackTable,
    fingerprint,
)
from memwarden_collector.store.cache import StagedCache
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.scope_facts import ScopeFacts, gather

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

StackFrames = tuple[StackTable, int]
"""Where the frames of a stack are: its index in the table of its request."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OVERHEAD: Final = 300
"""Bytes of an entry beside its texts: its objects and its place in a table, from above."""
_STACK_BYTES: Final = 200
# Shares of the memory for ids.
_SCOPES, _RESOURCES, _SERIES, _STACKS, _BOUNDS, _SETS = 0.1, 0.15, 0.35, 0.2, 0.05, 0.15
_SEEN_STEP: Final = 1_000_000
"""Microseconds by which `seen_last` must have moved before a row is written again."""


def moment(microseconds: int) -> datetime:
    """Unix microseconds as a time in UTC, exact."""
    return _EPOCH + timedelta(microseconds=microseconds)


@dataclass(frozen=True, slots=True)
class KnownResource:
    resource_id: int
    scope_id: int
    attributes: bytes
    """Fingerprint of the attributes that the row has."""
    attributes_at: int
    seen_last: int


@dataclass(frozen=True, slots=True)
class KnownScope:
    scope_id: int
    facts: int
    """Hash of what is kept of it, which may be long texts."""
    seen_last: int


class Dictionary:
    """The ids that one writer knows. For one thread, inside its transactions."""

    def __init__(self, max_bytes: int) -> None:
        def room(share: float) -> int:
            return round(max_bytes * share)

        self._scopes: StagedCache[str, KnownScope] = StagedCache(
            room(_SCOPES), lambda name, _: _OVERHEAD + getsizeof(name)
        )
        self._resources: StagedCache[bytes, KnownResource] = StagedCache(
            room(_RESOURCES), lambda _, known: _OVERHEAD + getsizeof(known.attributes)
        )
        self._series: StagedCache[SeriesId, int] = StagedCache(
            room(_SERIES), lambda one, _: _OVERHEAD + getsizeof(one.metric) + getsizeof(one.attributes)
        )
        self._stacks: StagedCache[bytes, int] = StagedCache(room(_STACKS), lambda _, __: _STACK_BYTES)
        self._bounds: StagedCache[tuple[float, ...], int] = StagedCache(
            room(_BOUNDS), lambda bounds, _: _OVERHEAD + 32 * len(bounds)
        )
        self._sets: StagedCache[bytes, NDArray[int64]] = StagedCache(
            room(_SETS), lambda _, ids: _OVERHEAD + ids.nbytes
        )
        self._removed: datetime | None = None
        self._scope_names: dict[int, str] = {}
        self._new_series: Counter[str] = Counter()
        self._new_resources: Counter[str] = Counter()
        self._caches = (
            self._scopes,
            self._resources,
            self._series,
            self._stacks,
            self._bounds,
            self._sets,
        )

    def follow(self, removed: datetime | None) -> None:
        """When names were last removed from the database: ids that were learnt before may be gone."""
        if removed != self._removed:
            for cache in self._caches:
                cache.clear()
            self._removed = removed

    @property
    def weight(self) -> int:
        """Bytes that the caches take, about."""
        return sum(cache.weight for cache in self._caches)

    def commit(self) -> tuple[Counter[str], Counter[str]]:
        """Keep what was learnt; new series and new resources by scope, which the database did not have."""
        for cache in self._caches:
            cache.commit()
        return self._take_new()

    def rollback(self) -> None:
        for cache in self._caches:
            cache.rollback()
        self._take_new()

    def _take_new(self) -> tuple[Counter[str], Counter[str]]:
        made = self._new_series, self._new_resources
        self._new_series, self._new_resources = Counter(), Counter()
        self._scope_names.clear()
        return made

    def resources(
        self, connection: Connection, blocks: Sequence[ResourceBlock]
    ) -> dict[bytes, KnownResource]:
        """Resource by fingerprint, for blocks that hold something; scopes and attributes are brought up to
        date.
        """
        scopes = self._scope_ids(connection, blocks)
        newest: dict[bytes, tuple[ResourceBlock, int, int]] = {}
        for block in blocks:
            first, last = block.span() or (0, 0)
            before = newest.get(block.identity.fp)
            if before is not None:
                first, kept = min(first, before[1]), before[0] if before[2] > last else block
                newest[block.identity.fp] = (kept, first, max(last, before[2]))
            else:
                newest[block.identity.fp] = (block, first, last)
        missing = [fp for fp in newest if self._resources.get(fp) is None]
        if missing:
            self._insert_resources(connection, {fp: newest[fp] for fp in sorted(missing)}, scopes)
        self._update_resources(connection, newest)
        return {fp: self._known(fp) for fp in newest}

    def series(
        self,
        connection: Connection,
        wanted: Mapping[SeriesId, SeriesInfo],
        resources: Mapping[bytes, KnownResource],
    ) -> dict[SeriesId, int]:
        """Series id by series."""
        missing = {fingerprint(*_hex(one)): one for one in wanted if self._series.get(one) is None}
        if missing:
            keys = sorted(missing)
            rows = [(missing[key], wanted[missing[key]]) for key in keys]
            made: set[bytes] = set()
            ids = ensure(
                connection,
                "series",
                "series_id",
                keys,
                {
                    "resource_id": ("bigint", [resources[one.resource_fp].resource_id for one, _ in rows]),
                    "metric": ("text", [one.metric for one, _ in rows]),
                    "unit": ("text", [info.unit for _, info in rows]),
                    "kind": ("text", [info.kind for _, info in rows]),
                    "temporality": ("text", [info.temporality for _, info in rows]),
                    "monotonic": ("boolean", [info.monotonic for _, info in rows]),
                    "attribute": ("text", [info.attribute for _, info in rows]),
                    "attrs": ("jsonb", [one.attributes for one, _ in rows]),
                },
                made,
            )
            for key in made:
                scope_id = resources[missing[key].resource_fp].scope_id
                self._new_series[self._scope_names[scope_id]] += 1
            for key, number in ids.items():
                self._series.stage(missing[key], number)
        return {one: known for one in wanted if (known := self._series.get(one)) is not None}

    def series_sets(
        self,
        connection: Connection,
        wanted: Sequence[SeriesSet],
        resources: Mapping[bytes, KnownResource],
    ) -> "dict[bytes, NDArray[int64]]":
        """Series ids in the order of each set, by its key."""
        import numpy as np

        found = {one.key: known for one in wanted if (known := self._sets.get(one.key)) is not None}
        missing = {one.key: one for one in wanted if one.key not in found}
        if missing:
            infos = {
                series: info
                for one in missing.values()
                for series, info in zip(one.series, one.infos, strict=True)
            }
            ids = self.series(connection, infos, resources)
            for key, one in missing.items():
                found[key] = np.array([ids[series] for series in one.series], dtype=np.int64)
                self._sets.stage(key, found[key])
        return found

    def stacks(self, connection: Connection, wanted: Mapping[bytes, StackFrames]) -> dict[bytes, int]:
        """Stack id by fingerprint; frames are read only of stacks that the database has not."""
        found, missing = self._stacks.split(wanted)
        if missing:
            missing.sort()
            known = _select(connection, "stack", "stack_id", missing)
            new = [fp for fp in missing if fp not in known]
            if new:
                stacks = {fp: table.frames(index) for fp in new for table, index in (wanted[fp],)}
                frames = self._frames(connection, {line for stack in stacks.values() for line in stack})
                arrays = ["{" + ",".join(str(frames[line]) for line in stacks[fp]) + "}" for fp in new]
                known |= ensure(connection, "stack", "stack_id", new, {"frames": ("integer[]", arrays)})
            for fp, number in known.items():
                self._stacks.stage(fp, number)
            found |= known
        return found

    def bounds(
        self, connection: Connection, wanted: Iterable[tuple[float, ...]]
    ) -> dict[tuple[float, ...], int]:
        """Id by the bounds of a distribution's buckets."""
        known = {one: self._bounds.get(one) for one in wanted}
        missing = {fingerprint("bounds", *one): one for one, number in known.items() if number is None}
        if missing:
            keys = sorted(missing)
            # repr of a float is exact, and PostgreSQL reads it back to the same bits.
            arrays = ["{" + ",".join(map(repr, missing[key])) + "}" for key in keys]
            columns = {"bounds": ("float8[]", arrays)}
            ids = ensure(connection, "distribution_bounds", "bounds_id", keys, columns)
            for key, made in ids.items():
                self._bounds.stage(missing[key], made)
        return {one: number for one in known if (number := self._bounds.get(one)) is not None}

    def _known(self, fp: bytes) -> KnownResource:
        known = self._resources.get(fp)
        if known is None:
            raise AssertionError("a resource that was just inserted is not known")
        return known

    def _scope_ids(self, connection: Connection, blocks: Sequence[ResourceBlock]) -> dict[str, int]:
        facts = gather(blocks)
        missing = sorted(name for name in facts if self._scopes.get(name) is None)
        if missing:
            kinds = [facts[name].kind for name in missing]
            seen = [moment(facts[name].first) for name in missing]
            connection.execute(
                "insert into scope (name, kind, seen_first, seen_last)"
                " select name, kind, seen, seen from unnest(%s::text[], %s::text[], %s::timestamptz[])"
                " v(name, kind, seen)"
                " on conflict (name) do nothing",
                [missing, kinds, seen],
            )
            for scope_id, name in connection.execute(
                "select scope_id, name from scope where name = any(%s)", [missing]
            ).fetchall():
                self._scopes.stage(name, KnownScope(scope_id, 0, 0))
        self._update_scopes(connection, facts)
        ids = {name: known.scope_id for name in facts if (known := self._scopes.get(name)) is not None}
        self._scope_names.update((scope_id, name) for name, scope_id in ids.items())
        return ids

    def _update_scopes(self, connection: Connection, facts: Mapping[str, ScopeFacts]) -> None:
        changed: list[tuple[int, ScopeFacts]] = []
        for name, fact in facts.items():
            known = self._scopes.get(name)
            if known is None:
                continue
            if fact.last - known.seen_last >= _SEEN_STEP or fact.comparable() != known.facts:
                changed.append((known.scope_id, fact))
                self._scopes.stage(
                    name, KnownScope(known.scope_id, fact.comparable(), max(fact.last, known.seen_last))
                )
        if not changed:
            return
        changed.sort(key=lambda pair: pair[0])
        rows = [fact for _, fact in changed]
        connection.execute(
            """
            update scope s set
              command = case when v.command <> '' and newer then v.command else s.command end,
              host = case when v.host <> '' and newer then v.host else s.host end,
              interval_seconds = case when newer then coalesce(v.interval_seconds, s.interval_seconds)
                                 else s.interval_seconds end,
              limit_bytes = case when v.limit_bytes is not null and newer then v.limit_bytes else
              s.limit_bytes end, limit_source = case when v.limit_bytes is not null and newer then
              v.limit_source else s.limit_source end, seen_first = least(s.seen_first, v.seen_first),
              seen_last = greatest(s.seen_last, v.seen_last)
            from (
              select u.*, u.seen_last >= c.seen_last as newer
              from unnest(%s::integer[], %s::text[], %s::text[], %s::float8[], %s::float8[], %s::text[],
                          %s::timestamptz[], %s::timestamptz[])
                   u(scope_id, command, host, interval_seconds, limit_bytes, limit_source, seen_first,
                   seen_last)
              join scope c using (scope_id)
            ) v
            where s.scope_id = v.scope_id
            """,
            [
                [scope_id for scope_id, _ in changed],
                [fact.command for fact in rows],
                [fact.host for fact in rows],
                [fact.interval for fact in rows],
                [fact.limit for fact in rows],
                [fact.limit_source for fact in rows],
                [moment(fact.first) for fact in rows],
                [moment(fact.last) for fact in rows],
            ],
        )

    def _insert_resources(
        self,
        connection: Connection,
        missing: Mapping[bytes, tuple[ResourceBlock, int, int]],
        scopes: Mapping[str, int],
    ) -> None:
        identities = [block.identity for block, _, _ in missing.values()]
        made: set[bytes] = set()
        ids = ensure(
            connection,
            "resource",
            "resource_id",
            list(missing),
            {
                "scope_id": ("integer", [scopes[one.scope] for one in identities]),
                "pid": ("integer", [one.pid for one in identities]),
                "created": ("float8", [one.created for one in identities]),
                "attrs": ("jsonb", [Jsonb(block.attributes) for block, _, _ in missing.values()]),
                "attrs_at": ("timestamptz", [moment(0) for _ in identities]),
                "seen_first": ("timestamptz", [moment(first) for _, first, _ in missing.values()]),
                "seen_last": ("timestamptz", [moment(first) for _, first, _ in missing.values()]),
            },
            made,
        )
        self._new_resources.update(missing[fp][0].identity.scope for fp in made)
        for fp, number in ids.items():
            self._resources.stage(fp, KnownResource(number, scopes[missing[fp][0].identity.scope], b"", 0, 0))

    def _update_resources(
        self, connection: Connection, newest: Mapping[bytes, tuple[ResourceBlock, int, int]]
    ) -> None:
        """Attributes of the newest sample win, also over another collector's, also when a spool replays
        older ones.
        """
        rows: list[tuple[int, Attributes, datetime, datetime]] = []
        for fp, (block, first, last) in newest.items():
            known = self._known(fp)
            digest = block.attributes_digest()
            changed = digest != known.attributes and last >= known.attributes_at
            if changed or last - known.seen_last >= 60 * _SEEN_STEP:
                rows.append((known.resource_id, block.attributes, moment(first), moment(last)))
                self._resources.stage(
                    fp,
                    KnownResource(
                        known.resource_id,
                        known.scope_id,
                        digest if last >= known.attributes_at else known.attributes,
                        max(last, known.attributes_at),
                        max(last, known.seen_last),
                    ),
                )
        if rows:
            rows.sort(key=lambda row: row[0])
            connection.execute(
                """
                update resource r set
                  attrs = case when v.seen_last >= r.attrs_at then v.attrs else r.attrs end,
                  attrs_at = greatest(r.attrs_at, v.seen_last),
                  seen_first = least(r.seen_first, v.seen_first),
                  seen_last = greatest(r.seen_last, v.seen_last)
                from unnest(%s::bigint[], %s::jsonb[], %s::timestamptz[], %s::timestamptz[])
                     v(resource_id, attrs, seen_first, seen_last)
                where r.resource_id = v.resource_id
                """,
                [
                    [row[0] for row in rows],
                    [Jsonb(row[1]) for row in rows],
                    [row[2] for row in rows],
                    [row[3] for row in rows],
                ],
            )

    def _frames(self, connection: Connection, lines: set[Line]) -> dict[Line, int]:
        by_function: dict[bytes, tuple[str, str]] = {}
        function_of: dict[Line, bytes] = {}
        for file, line, name in lines:
            fp = fingerprint(file, name)
            by_function[fp] = (file, name)
            function_of[file, line, name] = fp
        keys = sorted(by_function)
        functions = ensure(
            connection,
            "function",
            "function_id",
            keys,
            {
                "file": ("text", [by_function[fp][0] for fp in keys]),
                "name": ("text", [by_function[fp][1] for fp in keys]),
            },
        )
        pairs = {(functions[function_of[line]], line[1]): line for line in lines}
        wanted = sorted(pairs)
        values = [[pair[0] for pair in wanted], [pair[1] for pair in wanted]]
        connection.execute(
            "insert into frame (function_id, line) select f, l from unnest(%s::integer[], %s::integer[])"
            " v(f, l)"
            " where not exists (select from frame where function_id = f and line = l) on conflict do nothing",
            values,
        )
        found = connection.execute(
            "select frame_id, function_id, line from frame"
            " join unnest(%s::integer[], %s::integer[]) v(function_id, line) using (function_id, line)",
            values,
        ).fetchall()
        return {pairs[function_id, line]: frame_id for frame_id, function_id, line in found}


def ensure(
    connection: Connection,
    table: str,
    id_column: str,
    fps: Sequence[bytes],
    columns: Mapping[str, tuple[str, Sequence[Any]]],
    made: set[bytes] | None = None,
) -> dict[bytes, int]:
    """Ids of rows known by their fingerprint; rows that are missing are inserted, and added to `made`.

    `fps` in order, without doubles.
    """
    known = _select(connection, table, id_column, fps)
    places = [place for place, fp in enumerate(fps) if fp not in known]
    if not places:
        return known
    fields = ", ".join(["fp", *columns])
    values = ", ".join(f"v.{name}::{kind}" for name, (kind, _) in columns.items())
    # An array of arrays can't be unnested into rows: such columns travel as text.
    kinds = ", ".join(
        "%s::text[]" if kind.endswith("[]") else f"%s::{kind}[]" for kind, _ in columns.values()
    )
    inserted = connection.execute(
        f"insert into {table} ({fields}) select v.fp, {values} from unnest(%s::bytea[], {kinds}) v({fields})"  # noqa: S608 - constants
        f" on conflict (fp) do nothing returning {id_column}, fp",
        [
            [fps[place] for place in places],
            *([column[place] for place in places] for _, column in columns.values()),
        ],
    ).fetchall()
    known |= {bytes(fp): number for number, fp in inserted}
    if made is not None:
        made.update(bytes(fp) for _, fp in inserted)
    rest = [fp for fp in fps if fp not in known]
    return known | _select(connection, table, id_column, rest) if rest else known


def _select(connection: Connection, table: str, id_column: str, fps: Sequence[bytes]) -> dict[bytes, int]:
    rows = connection.execute(
        f"select {id_column}, fp from {table} where fp = any(%s)",  # noqa: S608 - constants
        [list(fps)],
    )
    return {bytes(fp): number for number, fp in rows.fetchall()}


def _hex(one: SeriesId) -> tuple[str, ...]:
    # A number's series has no shape: its fingerprint is what it was before there were shapes.
    return one.resource_fp.hex(), one.metric, one.attributes, *((one.shape,) if one.shape else ())
