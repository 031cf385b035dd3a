"""Workloads in the database: which container belongs to which, and what was last said of each.

Who writes verdicts of workloads takes `lock_changes` first, in the same transaction: changes get their numbers one
writer after the other, so that a reader that goes on behind the last number it saw misses none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from memwarden_collector.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scope, and what tells whose container it is. Moments in Unix seconds."""

    scope_id: int
    name: str
    kind: str
    interval: float | None
    first_seen: float
    last_seen: float
    attributes: Mapping[str, Any]
    owner: tuple[str, str, str, str, str] | None
    """Namespace, pod, kind, name, version: what the controller says."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Where a scope belongs: a row of `workload`, and its own."""

    scope_id: int
    workload: str
    namespace: str
    kind: str
    owner: str
    container: str
    pod: str
    pod_uid: str
    version: str
    first_seen: float


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What is kept of a scope. Moments in Unix seconds."""

    scope_id: int
    workload_id: int
    name: str
    pod: str
    pod_uid: str
    version: str
    kind: str
    ended: bool
    at: float
    judged_at: float | None
    first_seen: float
    interval: float | None
    anon_bytes: float | None
    limit_bytes: float | None
    digest: Mapping[str, Any]
    last_seen: float


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    workload_id: int
    name: str
    namespace: str
    kind: str
    owner: str
    container: str


@dataclass(frozen=True, slots=True)
class LastRow:
    """A row of `workload_last` without its change."""

    workload_id: int
    at: datetime
    kind: str
    severity: int
    confidence: float
    growth: float | None
    usage: float | None
    forecast: tuple[float, float, float] | None
    leak_active: bool
    living: int
    scopes: int
    at_risk: bool
    version: str
    headline: str
    document: Mapping[str, Any]
    with_history: bool


# ── Whose container ──────────────────────────────────────────────────────────────────────────────────────
def read_candidates(connection: Connection, scope_ids: Sequence[int]) -> list[Candidate]:
    """What is known of these scopes; with the controller's word where there is one."""
    rows = connection.execute(
        "select s.scope_id, s.name, s.kind, s.interval_seconds, extract(epoch from s.seen_first)::float8,"
        " extract(epoch from s.seen_last)::float8, coalesce(r.attrs, '{}'),"
        " o.namespace, o.pod, o.kind, o.name, o.version"
        " from unnest(%s::integer[]) wanted(scope_id) join scope s using (scope_id)"
        " left join lateral (select attrs from resource where resource.scope_id = s.scope_id"
        "   order by pid is not null, resource_id limit 1) r on true"
        " left join pod_owner o on o.pod_uid = r.attrs->>'k8s.pod.uid'",
        [list(scope_ids)],
    ).fetchall()
    return [
        Candidate(row[0], row[1], row[2], row[3], row[4], row[5], row[6], _owner(row[7:12])) for row in rows
    ]


def _owner(words: Sequence[str | None]) -> tuple[str, str, str, str, str] | None:
    if words[0] is None:
        return None
    namespace, pod, kind, name, version = (word or "" for word in words)
    return namespace, pod, kind, name, version


def place(connection: Connection, belongings: Sequence[Belonging]) -> dict[int, int]:
    """Put scopes where they belong, whatever was there before; the workload's id of each."""
    ordered = sorted(belongings, key=lambda one: (one.workload, one.scope_id))
    with connection.transaction():
        connection.execute(
            "insert into workload (name, namespace, kind, owner, container, first_seen)"
            " select distinct on (name) name, namespace, kind, owner, container, to_timestamp(first_seen)"
            " from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[])"
            "   v(name, namespace, kind, owner, container, first_seen) order by name, first_seen"
            # Written in any case: a row that is locked can't be removed before a container is at it.
            " on conflict (name) do update set name = excluded.name",
            [
                [getattr(one, name) for one in ordered]
                for name in ("workload", "namespace", "kind", "owner", "container", "first_seen")
            ],
        )
        rows = connection.execute(
            "insert into workload_scope (scope_id, workload_id, pod, pod_uid, version, at, kind, digest)"
            " select scope_id, workload_id, pod, pod_uid, version, to_timestamp(v.first_seen), 'WarmingUp', '{}'"
            " from unnest(%s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[])"
            "   v(scope_id, name, pod, pod_uid, version, first_seen) join workload using (name)"
            " order by scope_id"
            " on conflict (scope_id) do update set workload_id = excluded.workload_id, pod = excluded.pod,"
            "   pod_uid = excluded.pod_uid, version = excluded.version"
            " returning scope_id, workload_id",
            [
                [getattr(one, name) for one in ordered]
                for name in ("scope_id", "workload", "pod", "pod_uid", "version", "first_seen")
            ],
        ).fetchall()
    return dict(rows)


def read_resources(connection: Connection, scope_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Of each scope the resources that stand for it as a whole."""
    rows = connection.execute(
        "select scope_id, array_agg(resource_id) from resource where scope_id = any(%s) and pid is null group by 1",
        [list(scope_ids)],
    ).fetchall()
    return {scope_id: tuple(ids) for scope_id, ids in rows}


def owners_since(connection: Connection, since: datetime) -> tuple[list[int], datetime]:
    """Scopes of pods whose owner was written since then, and the moment to ask from next time.

    A transaction that is still open now commits behind that moment: it is a minute back, and rows come twice.
    """
    row = connection.execute("select now() - interval '60 seconds'").fetchone()
    assert row is not None
    rows = connection.execute(
        "select scope_id from workload_scope s join pod_owner o using (pod_uid) join workload w using (workload_id)"
        " where o.updated_at >= %s and (o.namespace, o.kind, o.name, o.version)"
        "   is distinct from (w.namespace, w.kind, w.owner, s.version) order by scope_id",
        [since],
    ).fetchall()
    return [found[0] for found in rows], row[0]


# ── What is kept of each container ───────────────────────────────────────────────────────────────────────
_STATE: Final = (
    "select s.scope_id, s.workload_id, scope.name, s.pod, s.pod_uid, s.version, s.kind, s.ended,"
    " extract(epoch from s.at)::float8, extract(epoch from s.judged_at)::float8,"
    " extract(epoch from scope.seen_first)::float8, scope.interval_seconds, s.anon_bytes, s.limit_bytes, s.digest,"
    " extract(epoch from scope.seen_last)::float8"
    " from workload_scope s join scope using (scope_id)"
)


def read_states(connection: Connection, scope_ids: Sequence[int]) -> list[ScopeState]:
    rows = connection.execute(f"{_STATE} where s.scope_id = any(%s)", [list(scope_ids)]).fetchall()
    return [ScopeState(*row) for row in rows]


def read_living(connection: Connection, after: int, count: int) -> list[ScopeState]:
    """Scopes that have not ended, in the order of their ids from the one after `after`."""
    rows = connection.execute(
        f"{_STATE} where not s.ended and s.scope_id > %s order by s.scope_id limit %s",
        [after, count],
    ).fetchall()
    return [ScopeState(*row) for row in rows]


def read_members(
    connection: Connection, workload_ids: Sequence[int], most_living: int, most_ended: int
) -> dict[int, list[ScopeState]]:
    """Of each workload containers that live, and the newest of those that ended."""
    some = f"({_STATE} where s.workload_id = wanted.workload_id and s.ended = %s order by s.at desc limit %s)"
    query = f"select m.* from unnest(%s::integer[]) wanted(workload_id), lateral ({some} union all {some}) m"  # noqa: S608
    bounds = [False, most_living, True, most_ended]
    result: dict[int, list[ScopeState]] = {number: [] for number in workload_ids}
    for row in connection.execute(query.encode(), [list(workload_ids), *bounds]).fetchall():
        state = ScopeState(*row)
        result[state.workload_id].append(state)
    return result


def save_judged(
    connection: Connection,
    scope_id: int,
    *,
    at: float,
    kind: str,
    anon_bytes: float | None,
    limit_bytes: float | None,
    digest: Mapping[str, Any],
) -> None:
    """What was judged last; an older judgement changes nothing."""
    connection.execute(
        "update workload_scope set at = greatest(at, to_timestamp(%(at)s)), judged_at = to_timestamp(%(at)s),"
        " kind = %(kind)s, anon_bytes = %(anon)s, limit_bytes = %(limit)s, digest = %(digest)s"
        " where scope_id = %(scope)s and coalesce(judged_at, '-infinity') <= to_timestamp(%(at)s)",
        {
            "scope": scope_id,
            "at": at,
            "kind": kind,
            "anon": anon_bytes,
            "limit": limit_bytes,
            "digest": Jsonb(dict(digest)),
        },
    )


def save_screened(
    connection: Connection,
    scope_ids: Sequence[int],
    at: Sequence[float],
    anon_bytes: Sequence[float | None],
    limit_bytes: Sequence[float | None],
) -> None:
    """That the screen has looked at these, and up to where."""
    connection.execute(
        "update workload_scope s set at = greatest(s.at, to_timestamp(v.at)), anon_bytes = v.anon, limit_bytes ="
        " coalesce(v.lim, s.limit_bytes) from unnest(%s::integer[], %s::float8[], %s::float8[], %s::float8[])"
        " v(scope_id, at, anon, lim) where s.scope_id = v.scope_id",
        [list(scope_ids), list(at), list(anon_bytes), list(limit_bytes)],
    )


def now(connection: Connection) -> datetime:
    """By the database's clock."""
    row = connection.execute("select now()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def unsettled(connection: Connection) -> list[int]:
    """Workloads whose last verdict may not know that their containers ended, or how their leaks go on."""
    rows = connection.execute(
        "select workload_id from leak where state <> 'closed'"
        " union select workload_id from workload_last l where living > 0 and not exists("
        "   select from workload_scope s where s.workload_id = l.workload_id and not ended)"
    ).fetchall()
    return [row[0] for row in rows]


def mark_ended(connection: Connection, scope_ids: Sequence[int], *, ended: bool) -> None:
    connection.execute(
        "update workload_scope set ended = %s where scope_id = any(%s) and ended <> %s",
        [ended, list(scope_ids), ended],
    )


# ── What was last said of each workload ──────────────────────────────────────────────────────────────────
def read_workloads(connection: Connection, workload_ids: Sequence[int]) -> list[WorkloadRow]:
    rows = connection.execute(
        "select workload_id, name, namespace, kind, owner, container from workload where workload_id = any(%s)",
        [list(workload_ids)],
    ).fetchall()
    return [WorkloadRow(*row) for row in rows]


def lock_changes(connection: Connection) -> None:
    """Nobody else gives numbers to changes until this transaction is over."""
    connection.execute("select last from workload_change for update")


def read_documents(connection: Connection, workload_ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    rows = connection.execute(
        "select workload_id, document from workload_last where workload_id = any(%s)", [list(workload_ids)]
    ).fetchall()
    return dict(rows)


def save_last(connection: Connection, rows: Sequence[LastRow]) -> None:
    """Each is a change of its own, in this order. Inside the transaction that called `lock_changes`."""
    if not rows:
        return
    found = connection.execute(
        "update workload_change set last = last + %s returning last", [len(rows)]
    ).fetchone()
    assert found is not None
    first = found[0] - len(rows) + 1
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into workload_last (workload_id, change, at, kind, severity, confidence,"
            " growth_bytes_per_second, usage_ratio, forecast, leak_active, living, scopes, document)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (workload_id) do update set change = excluded.change, at = excluded.at,"
            " kind = excluded.kind, severity = excluded.severity, confidence = excluded.confidence,"
            " growth_bytes_per_second = excluded.growth_bytes_per_second, usage_ratio = excluded.usage_ratio,"
            " forecast = excluded.forecast, leak_active = excluded.leak_active, living = excluded.living,"
            " scopes = excluded.scopes, document = excluded.document",
            [
                [
                    row.workload_id,
                    first + place,
                    row.at,
                    row.kind,
                    row.severity,
                    row.confidence,
                    row.growth,
                    row.usage,
                    None if row.forecast is None else list(row.forecast),
                    row.leak_active,
                    row.living,
                    row.scopes,
                    Jsonb(row.document),
                ]
                for place, row in enumerate(rows)
            ],
        )
        cursor.executemany(
            "insert into workload_verdict (workload_id, at, kind, confidence, at_risk, growth_bytes_per_second,"
            " usage_ratio, version, headline) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                [
                    row.workload_id,
                    row.at,
                    row.kind,
                    row.confidence,
                    row.at_risk,
                    row.growth,
                    row.usage,
                    row.version,
                    row.headline,
                ]
                for row in rows
                if row.with_history
            ],
        )


def last_change(connection: Connection) -> int:
    row = connection.execute("select last from workload_change").fetchone()
    return 0 if row is None else int(row[0])


def changes(
    connection: Connection, after: int, namespace: str | None, count: int
) -> list[tuple[int, Mapping[str, Any]]]:
    """(number, document) behind a number, of one namespace or of all, the oldest change first."""
    return connection.execute(
        "select change, document from workload_last join workload using (workload_id) where change > %(after)s"
        " and (%(namespace)s::text is null or namespace = %(namespace)s) order by change limit %(count)s",
        {"after": after, "namespace": namespace, "count": count},
    ).fetchall()


def page(
    connection: Connection, *, namespace: str | None, kind: str | None, after: int, count: int
) -> list[tuple[int, Mapping[str, Any]]]:
    """(id, document) of workloads that have a container, in the order of ids greater than `after`."""
    return connection.execute(
        "select workload_id, document from workload_last join workload using (workload_id)"
        " where workload_id > %(after)s and scopes > 0"
        " and (%(namespace)s::text is null or namespace = %(namespace)s)"
        " and (%(kind)s::text is null or workload_last.kind = %(kind)s)"
        " order by workload_id limit %(count)s",
        {"after": after, "namespace": namespace, "kind": kind, "count": count},
    ).fetchall()


def one(connection: Connection, name: str) -> tuple[int, Mapping[str, Any]] | None:
    """(change, document); None where there is none."""
    return connection.execute(
        "select change, document from workload_last join workload using (workload_id) where name = %s", [name]
    ).fetchone()


@dataclass(frozen=True, slots=True)
class Exposed:
    """Of a workload what Prometheus is told."""

    namespace: str
    kind: str
    owner: str
    container: str
    profile: str
    """"" where none is known."""
    verdict: str
    leak_active: bool
    confidence: float
    growth: float | None
    forecast: tuple[float, float, float] | None
    usage: float | None


def worst(connection: Connection, most: int) -> tuple[list[Exposed], int]:
    """Workloads that have a container that lives, the worst first, and how many there are in all."""
    rows = connection.execute(
        "select namespace, w.kind, owner, container, coalesce(p.profile, ''), l.kind, leak_active, confidence,"
        " growth_bytes_per_second, forecast, usage_ratio from workload_last l join workload w using (workload_id)"
        # Of its newest pod that the controller has told of.
        " left join lateral (select o.profile from workload_scope s join pod_owner o on o.pod_uid = s.pod_uid"
        "   where s.workload_id = w.workload_id and s.pod_uid <> '' order by s.ended, s.at desc limit 1) p on true"
        " where living > 0 order by leak_active desc, severity desc, workload_id limit %s",
        [most],
    ).fetchall()
    if len(rows) < most:
        count = len(rows)
    else:
        found = connection.execute("select count(*) from workload_last where living > 0").fetchone()
        count = 0 if found is None else found[0]
    return [_exposed(row) for row in rows], count


def _exposed(row: tuple[Any, ...]) -> Exposed:
    *words, active, confidence, growth, forecast, usage = row
    quantiles = None if forecast is None else (forecast[0], forecast[1], forecast[2])
    namespace, kind, owner, container, profile, verdict = words
    return Exposed(
        namespace, kind, owner, container, profile, verdict, active, confidence, growth, quantiles, usage
    )


def forget(connection: Connection, before: datetime, most: int) -> int:
    """Delete history of verdicts and leaks that were closed before a moment; how many rows."""
    gone = connection.execute(
        "delete from workload_verdict where ctid = any(array("
        " select ctid from workload_verdict where at < %s limit %s))",
        [before, most],
    ).rowcount
    gone += connection.execute(
        "delete from leak where leak_id in ("
        " select leak_id from leak where state = 'closed' and changed_at < %s limit %s)",
        [before, most],
    ).rowcount
    return gone
