"""What the controller says of the cluster: whose a pod is, versions of workloads, ends of containers, coverage.

Writing is idempotent: a row is known by its key, and what is there of the same key is replaced. Rows come and go as
JSON objects with the names of `memwarden_api.cluster`; times are texts on the way in, datetimes on the way out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from memwarden_collector.store.connection import Connection

Row = dict[str, Any]
_REPORTING: Final = timedelta(minutes=2)
_DELETED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One list: its table, its columns with their types, and which of them are the key. `names`: column → field."""

    table: LiteralString
    columns: Mapping[LiteralString, LiteralString]
    key: tuple[LiteralString, ...]
    order: LiteralString
    """A unique column: pages are in its order."""
    names: Mapping[str, str]


OWNERS: Final = Kind(
    "pod_owner",
    {
        "pod_uid": "text",
        "namespace": "text",
        "pod": "text",
        "kind": "text",
        "name": "text",
        "version": "text",
        "images": "jsonb",
        "profile": "text",
    },
    ("pod_uid",),
    "pod_uid",
    {"images": "image"},
)
ROLLOUTS: Final = Kind(
    "rollout",
    {
        "namespace": "text",
        "kind": "text",
        "name": "text",
        "version": "text",
        "revision": "bigint",
        "images": "jsonb",
        "started_at": "timestamptz",
        "finished_at": "timestamptz",
    },
    ("namespace", "kind", "name", "version"),
    "rollout_id",
    {},
)
RESTARTS: Final = Kind(
    "restart",
    {
        "pod_uid": "text",
        "container": "text",
        "restart_count": "integer",
        "namespace": "text",
        "pod": "text",
        "reason": "text",
        "exit_code": "integer",
        "started_at": "timestamptz",
        "finished_at": "timestamptz",
    },
    ("pod_uid", "container", "restart_count"),
    "restart_id",
    {},
)
COVERAGE: Final = Kind(
    "coverage",
    {
        "namespace": "text",
        "profile": "text",
        "matched": "integer",
        "injected": "integer",
        "skipped": "jsonb",
        "at": "timestamptz",
    },
    ("namespace", "profile"),
    "coverage_id",
    {},
)
_KEPT: Final = (ROLLOUTS, RESTARTS, COVERAGE)


def write(connection: Connection, kind: Kind, items: Sequence[Row]) -> None:
    """Insert or replace; of items with one key the last counts. Rows are written in the order of their keys, so that
    two who write the same ones can't wait for each other.
    """
    column_of = {field: column for column, field in kind.names.items()}
    rows = [{column_of.get(name, name): value for name, value in item.items()} for item in items]
    by_key = {tuple(row[name] for name in kind.key): row for row in rows}
    columns = sql.SQL(", ").join(map(sql.Identifier, kind.columns))
    types = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_)) for name, type_ in kind.columns.items()
    )
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in kind.columns
    )
    connection.execute(
        sql.SQL(
            "insert into {} ({}) select {} from jsonb_to_recordset(%s) v({})"
            " on conflict ({}) do update set {}, updated_at = now()"
        ).format(
            sql.Identifier(kind.table),
            columns,
            columns,
            types,
            sql.SQL(", ").join(map(sql.Identifier, kind.key)),
            changes,
        ),
        [Jsonb([by_key[key] for key in sorted(by_key)])],
    )


def page(
    connection: Connection, kind: Kind, where: Mapping[str, str | None], after: object, count: int
) -> list[tuple[object, Row]]:
    """Up to `count` rows behind `after` (None: from the first on), each with what a cursor needs to go on behind it."""
    chosen = {name: value for name, value in where.items() if value is not None}
    order = sql.Identifier(kind.order)
    conditions = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in chosen]
    if after is not None:
        conditions.append(sql.SQL("{} > {}").format(order, sql.Placeholder()))
    query = sql.SQL("select {}, {} from {} where {} order by {} limit {}").format(
        order,
        sql.SQL(", ").join(map(sql.Identifier, kind.columns)),
        sql.Identifier(kind.table),
        sql.SQL(" and ").join([sql.SQL("true"), *conditions]),
        order,
        sql.Placeholder(),
    )
    values = [*chosen.values(), *(() if after is None else (after,)), count]
    fields = [kind.names.get(name, name) for name in kind.columns]
    return [
        (row[0], dict(zip(fields, row[1:], strict=True)))
        for row in connection.execute(query, values).fetchall()
    ]


def reporting(connection: Connection, namespaces: Sequence[str]) -> dict[tuple[str, str], int]:
    """By namespace and profile: pods of the profile from which samples came in the last two minutes."""
    rows = connection.execute(
        """
        with heard as materialized (
          select distinct r.attrs ->> 'k8s.pod.uid' as pod_uid
          from scope s join resource r using (scope_id)
          where s.kind = 'container' and s.seen_last > now() - %s and r.pid is null
        )
        select o.namespace, o.profile, count(*)
        from pod_owner o join heard using (pod_uid)
        where o.namespace = any(%s) and o.profile <> ''
        group by o.namespace, o.profile
        """,
        [_REPORTING, list(namespaces)],
    ).fetchall()
    return {(namespace, profile): count for namespace, profile, count in rows}


def namespace_of_pod(connection: Connection, pod_uid: str) -> str:
    """By the controller, else by what its own containers say; "" where nobody has said."""
    row = connection.execute(
        "select namespace from (select 1 as place, namespace from pod_owner where pod_uid = %(pod)s"
        "  union all select 2, namespace from workload_scope join workload using (workload_id)"
        "  where pod_uid = %(pod)s and pod_uid <> '') said order by place limit 1",
        {"pod": pod_uid},
    ).fetchone()
    return "" if row is None else str(row[0])


@dataclass(frozen=True, slots=True)
class ProfilePods:
    """How many pods a MemoryProfile selects, how many of them are injected, and from how many samples come."""

    namespace: str
    profile: str
    matched: int
    injected: int
    reporting: int

    def states(self) -> tuple[tuple[str, int], ...]:
        return ("matched", self.matched), ("injected", self.injected), ("reporting", self.reporting)


def pods_of_profiles(connection: Connection, most: int) -> list[ProfilePods]:
    """As the controller last said, those first of which most pods are missing."""
    rows = connection.execute(
        "select namespace, profile, matched, injected from coverage"
        " order by matched - injected desc, namespace, profile limit %s",
        [most],
    ).fetchall()
    heard = reporting(connection, list({row[0] for row in rows})) if rows else {}
    return [
        ProfilePods(namespace, profile, matched, injected, min(injected, heard.get((namespace, profile), 0)))
        for namespace, profile, matched, injected in rows
    ]


def without_sidecar(connection: Connection, most: int) -> set[tuple[str, str]]:
    """Namespace and name of pods that profiles select and that were not injected, as the controller last said."""
    rows = connection.execute(
        "select distinct c.namespace, one ->> 'pod' from coverage c, jsonb_array_elements(c.skipped) one limit %s",
        [most],
    ).fetchall()
    return {(namespace, pod) for namespace, pod in rows}


def forget_coverage(connection: Connection, namespace: str, profile: str) -> bool:
    """Whether there was any."""
    found = connection.execute(
        "delete from coverage where namespace = %s and profile = %s", [namespace, profile]
    )
    return found.rowcount > 0


def delete_old(connection: Connection, age: timedelta) -> int:
    """What was not written for so long, some thousand rows at once; owners only of pods that are not heard of."""
    deleted = 0
    for kind in _KEPT:
        query = sql.SQL(
            "delete from {0} where {1} in (select {1} from {0} where updated_at < now() - {2} limit {3})"
        ).format(sql.Identifier(kind.table), sql.Identifier(kind.order), sql.Placeholder(), sql.Placeholder())
        deleted += connection.execute(query, [age, _DELETED_AT_ONCE]).rowcount
    return deleted + _delete_owners(connection, age)


def _delete_owners(connection: Connection, age: timedelta) -> int:
    """Those of pods that live are looked for only when there are old ones: it takes a walk over all scopes."""
    old = connection.execute(
        # By chance, so that many that live can't hide those that are gone.
        "select pod_uid from pod_owner where updated_at < now() - %s order by random() limit %s",
        [age, _DELETED_AT_ONCE],
    ).fetchall()
    if not old:
        return 0
    uids = [row[0] for row in old]
    living = connection.execute(
        "select distinct r.attrs ->> 'k8s.pod.uid' from scope s join resource r using (scope_id)"
        " where s.kind = 'container' and s.seen_last > now() - %s and r.attrs ->> 'k8s.pod.uid' = any(%s)",
        [age, uids],
    ).fetchall()
    gone = list(set(uids) - {row[0] for row in living})
    # One that was written meanwhile is younger now.
    return connection.execute(
        "delete from pod_owner where pod_uid = any(%s) and updated_at < now() - %s", [gone, age]
    ).rowcount
