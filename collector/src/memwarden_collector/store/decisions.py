"""Decisions about pods that leak: told by the controller, each once, however often it tells them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from memwarden_api.decisions import Decision
from memwarden_collector.store.connection import Connection

_DELETED_AT_ONCE: Final = 10_000
_COLUMNS: Final[LiteralString] = (
    "namespace, profile, kind, name, pod, action, result, reason, message, snapshot, recording, at"
)
_WRITE: Final[LiteralString] = (
    f"insert into decision (decision_id, {_COLUMNS}) select id, {_COLUMNS} from jsonb_to_recordset(%s) v(id text,"  # noqa: S608 - constants
    " namespace text, profile text, kind text, name text, pod text, action text, result text, reason text,"
    " message text, snapshot text, recording text, at timestamptz) order by id on conflict do nothing"
)
_PAGE: Final[LiteralString] = (
    f"select number, decision_id as id, {_COLUMNS} from decision"  # noqa: S608 - constants
    " where (%(namespace)s::text is null or namespace = %(namespace)s)"
    " and (%(kind)s::text is null or kind = %(kind)s) and (%(name)s::text is null or name = %(name)s)"
    " and (%(at)s::timestamptz is null or (at, number) < (%(at)s, %(number)s))"
    " order by at desc, number desc limit %(count)s"
)


def write(connection: Connection, items: Sequence[Decision]) -> None:
    """In the order of their ids, so that two writers can't wait for each other."""
    connection.execute(_WRITE, [Jsonb([one.model_dump(mode="json") for one in items])])


def page(
    connection: Connection,
    *,
    namespace: str | None,
    kind: str | None,
    name: str | None,
    before: tuple[datetime, int] | None,
    count: int,
) -> list[dict[str, Any]]:
    """The newest first, from the one before `before` (its time and number)."""
    at, number = before or (None, None)
    given = {"namespace": namespace, "kind": kind, "name": name, "at": at, "number": number, "count": count}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_PAGE, given).fetchall()


def delete_old(connection: Connection, age: timedelta) -> int:
    """What was decided so long ago, some thousand rows at once."""
    return connection.execute(
        "delete from decision where number in (select number from decision where at < now() - %s limit %s)",
        [age, _DELETED_AT_ONCE],
    ).rowcount
