"""Verdicts in the database: the history of each scope, and its last verdict whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from memwarden_collector.store.connection import Connection
from memwarden_core.verdict import Verdict

_HISTORY: Final = 500


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """The last verdict of a scope: `memwarden_api.report.Verdict` as JSON, without its history."""

    scope_id: int
    name: str
    at: datetime
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    at: datetime
    kind: str
    confidence: float


def save(
    connection: Connection, scope_id: int, verdict: Verdict, document: dict[str, Any], *, with_history: bool
) -> None:
    """Keep the verdict as the last one unless a newer one is there, and add it to the history if asked."""
    at = _moment(verdict.at)
    with connection.transaction():
        connection.execute(
            "insert into verdict_last (scope_id, at, kind, document) values (%s, %s, %s, %s)"
            " on conflict (scope_id) do update set at = excluded.at, kind = excluded.kind,"
            " document = excluded.document where verdict_last.at <= excluded.at",
            [scope_id, at, verdict.kind.value, Jsonb(document)],
        )
        if with_history:
            connection.execute(
                "insert into verdict (scope_id, at, kind, confidence, at_risk, reason, headline, cause,"
                " fingerprint,"
                " since, growth_bytes_per_second, anon_bytes) values (%s, %s, %s, %s, %s, %s, %s, %s,"
                " %s, %s, %s, %s)",
                [
                    scope_id,
                    at,
                    verdict.kind.value,
                    verdict.confidence,
                    verdict.at_risk,
                    verdict.reason,
                    verdict.headline,
                    verdict.cause,
                    verdict.fingerprint,
                    None if verdict.since is None else _moment(verdict.since),
                    verdict.growth_bytes_per_second,
                    verdict.anon_bytes,
                ],
            )


def history(connection: Connection, scope_ids: Sequence[int]) -> dict[int, list[HistoryRow]]:
    """The newest 500 entries of each scope, oldest first."""
    rows = connection.execute(
        "select s.scope_id, v.at, v.kind, v.confidence from unnest(%s::integer[]) s(scope_id),"
        " lateral (select * from verdict where scope_id = s.scope_id order by at desc, verdict_id desc"
        " limit %s) v"
        " order by v.at, v.verdict_id",
        [list(scope_ids), _HISTORY],
    ).fetchall()
    result: dict[int, list[HistoryRow]] = {scope_id: [] for scope_id in scope_ids}
    for scope_id, at, kind, confidence in rows:
        result[scope_id].append(HistoryRow(at, kind, confidence))
    return result


def last(connection: Connection, scope: str) -> LastVerdict | None:
    """None where there is no such scope or it was not judged yet."""
    row = connection.execute(
        "select scope_id, name, verdict_last.at, document from verdict_last join scope using (scope_id)"
        " where name = %s",
        [scope],
    ).fetchone()
    return None if row is None else LastVerdict(*row)


def page(
    connection: Connection, kind: str | None, after: int, count: int, namespace: str = ""
) -> list[LastVerdict]:
    """Last verdicts, in the order of scope ids greater than `after`; of one namespace's containers, or all."""
    rows = connection.execute(
        "select scope_id, name, verdict_last.at, document from verdict_last join scope using (scope_id)"
        " where scope_id > %(after)s and (%(kind)s::text is null or verdict_last.kind = %(kind)s)"
        " and (%(namespace)s::text = ''"
        "   or (scope.kind = 'container' and starts_with(scope.name, %(namespace)s::text || '/')))"
        " order by scope_id limit %(count)s",
        {"after": after, "kind": kind, "count": count, "namespace": namespace},
    ).fetchall()
    return [LastVerdict(*row) for row in rows]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
