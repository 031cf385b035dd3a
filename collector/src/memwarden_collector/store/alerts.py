"""Alerts as Alertmanager posted them, or as it has them: a row for each time that one fired, however often told."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from memwarden_api.alerts import AlertMessage, CurrentAlerts
from memwarden_collector.store.connection import Connection

_DELETED_AT_ONCE: Final = 10_000


def write(connection: Connection, message: AlertMessage) -> None:
    """Idempotent. In the order of their keys, so that two messages with the same alerts can't wait for each other.

    An end that is known stays: messages of several receivers come in any order.
    """
    by_key = {(one.fingerprint, one.starts_at): one for one in message.alerts}
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "insert into alert (fingerprint, starts_at, ends_at, namespace, name, labels, annotations, receivers)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (fingerprint, starts_at) do update set"
            " ends_at = coalesce(excluded.ends_at, alert.ends_at), annotations = excluded.annotations,"
            " receivers = array(select distinct unnest(alert.receivers || excluded.receivers) order by 1),"
            " last_posted_at = now()",
            [
                [
                    one.fingerprint,
                    one.starts_at,
                    # Of one that fires it is when it would be taken for over if nobody said it again.
                    one.ends_at if one.status == "resolved" else None,
                    one.labels.get("namespace", ""),
                    one.labels.get("alertname", ""),
                    Jsonb(one.labels),
                    Jsonb(one.annotations),
                    [message.receiver] if message.receiver else [],
                ]
                for _, one in sorted(by_key.items())
            ],
        )


def note_current(connection: Connection, now: CurrentAlerts) -> None:
    """Silences of those that fire. One that nobody was told of, since it was silenced, is a row as well; it is over
    when Alertmanager has it no more. Of others the end is what Alertmanager posts.
    """
    items = [one.model_dump(mode="json") for one in now.items]
    with connection.transaction():
        connection.execute(
            "insert into alert (fingerprint, starts_at, namespace, name, labels, annotations, receivers, silences)"
            " select fingerprint, starts_at, coalesce(labels->>'namespace', ''), coalesce(labels->>'alertname', ''),"
            " labels, annotations, '{}', silences from jsonb_to_recordset(%s) v(fingerprint text,"
            " starts_at timestamptz, labels jsonb, annotations jsonb, silences jsonb)"
            " order by fingerprint, starts_at on conflict (fingerprint, starts_at) do update set"
            " silences = excluded.silences where alert.silences <> excluded.silences",
            [Jsonb(list({(one["fingerprint"], one["starts_at"]): one for one in items}.values()))],
        )
        if now.complete:
            connection.execute(
                "update alert set ends_at = now() where ends_at is null and receivers = '{}'"
                " and (fingerprint, starts_at) not in (select fingerprint, starts_at from jsonb_to_recordset(%s)"
                " v(fingerprint text, starts_at timestamptz))",
                [Jsonb(items)],
            )


def page(
    connection: Connection,
    *,
    namespace: str | None,
    fingerprint: str | None,
    firing: bool | None,
    before: int | None,
    count: int,
) -> Sequence[dict[str, Any]]:
    """The newest first, with ids lower than `before`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select alert_id, fingerprint, starts_at, ends_at, namespace, name, labels, annotations, receivers,"
            " silences, first_posted_at, last_posted_at from alert"
            " where (%(namespace)s::text is null or namespace = %(namespace)s)"
            " and (%(fingerprint)s::text is null or fingerprint = %(fingerprint)s)"
            " and (%(firing)s::boolean is null or (ends_at is null) = %(firing)s)"
            " and (%(before)s::bigint is null or alert_id < %(before)s)"
            " order by alert_id desc limit %(count)s",
            {
                "namespace": namespace,
                "fingerprint": fingerprint,
                "firing": firing,
                "before": before,
                "count": count,
            },
        ).fetchall()


def delete_old(connection: Connection, age: timedelta) -> int:
    """What nobody spoke of for so long, some thousand rows at once."""
    return connection.execute(
        "delete from alert where alert_id in (select alert_id from alert where last_posted_at < now() - %s limit %s)",
        [age, _DELETED_AT_ONCE],
    ).rowcount
