"""Commands for sidecars: made, taken, answered.

A command that was taken and not answered is taken again after some seconds, until it expires: at least once. Of several
collectors each takes what another has not. The first answer counts. Time is the database's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from memwarden_collector.store.connection import Connection

REDELIVERED_AFTER: Final = timedelta(seconds=15)
MOST_AT_ONCE: Final = 32
"""Commands that a sidecar gets at once: they fit into the answer that it reads."""
_PODS: Final = 10_000
_DELETED_AT_ONCE: Final = 10_000
_COLUMNS: Final[LiteralString] = (
    "c.command_id, c.pod_uid, c.container, c.pid, c.kind, c.sampling_bytes, c.expires_in_seconds, c.made_at,"
    " c.expires_at, c.expires_at <= now(), c.delivered_at is not null, c.done, c.message, c.result_at"
)
_DUE: Final[LiteralString] = (
    "done is null and expires_at > now() and (delivered_at is null or delivered_at < now() - %s)"
)
_INSERT: Final[LiteralString] = (
    "insert into command as c (command_id, pod_uid, container, pid, kind, sampling_bytes, expires_in_seconds,"  # noqa: S608 - constants
    " expires_at) select %s, v.*, now() + v.expires_in_seconds * interval '1 second'"
    " from jsonb_to_record(%s) v(pod_uid text, container text, pid integer, kind text, sampling_bytes integer,"
    f" expires_in_seconds double precision) returning {_COLUMNS}"
)
_FIND: Final[LiteralString] = f"select {_COLUMNS} from command c where command_id = %s"  # noqa: S608 - constants
_PODS_WITH_DUE: Final[LiteralString] = f"select distinct pod_uid from command where {_DUE} limit %s"  # noqa: S608 - constants
_TAKE: Final[LiteralString] = f"""
    with due as (
      select command_id from unnest(%s::text[]) p(pod)
      cross join lateral (
        select command_id from command where pod_uid = p.pod and {_DUE}
        order by made_at limit %s for update skip locked
      ) one
    )
    update command c set delivered_at = now() from due where c.command_id = due.command_id returning {_COLUMNS}
    """  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class CommandRow:
    command_id: UUID
    pod_uid: str
    container: str
    pid: int | None
    kind: str
    sampling_bytes: int | None
    expires_in_seconds: float
    made_at: datetime
    expires_at: datetime
    has_expired: bool
    was_delivered: bool
    done: bool | None
    """None: it was not answered."""
    message: str | None
    result_at: datetime | None

    @property
    def state(self) -> str:
        if self.done is not None:
            return "Done" if self.done else "Failed"
        if self.has_expired:
            return "Expired"
        return "Delivered" if self.was_delivered else "Pending"


def count_open(connection: Connection, pod_uid: str) -> tuple[int, int]:
    """Commands that wait for their answer: of the pod, and of all."""
    row = connection.execute(
        "select count(*) filter (where pod_uid = %s), count(*) from command"
        " where done is null and expires_at > now()",
        [pod_uid],
    ).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def make(connection: Connection, wanted: dict[str, Any]) -> CommandRow:
    """A new one; `wanted` has the fields of `memwarden_api.cluster.CommandRequest`."""
    row = connection.execute(_INSERT, [uuid4(), Jsonb(wanted)]).fetchone()
    assert row is not None
    return CommandRow(*row)


def find(connection: Connection, command_id: UUID) -> CommandRow | None:
    row = connection.execute(_FIND, [command_id]).fetchone()
    return None if row is None else CommandRow(*row)


def pods_with_due(connection: Connection) -> set[str]:
    """Unique ids of the pods for which there is something to take."""
    rows = connection.execute(_PODS_WITH_DUE, [REDELIVERED_AFTER, _PODS]).fetchall()
    return {row[0] for row in rows}


def take(connection: Connection, pods: Sequence[str]) -> dict[str, list[CommandRow]]:
    """What is due for these pods, by pod, the oldest first, and marked as delivered."""
    rows = connection.execute(_TAKE, [sorted(pods), REDELIVERED_AFTER, MOST_AT_ONCE]).fetchall()
    taken: dict[str, list[CommandRow]] = {}
    for command in sorted((CommandRow(*row) for row in rows), key=lambda one: one.made_at):
        taken.setdefault(command.pod_uid, []).append(command)
    return taken


def answer(connection: Connection, command_id: UUID, done: bool, message: str, at: datetime) -> bool | None:
    """True where this is the first answer, False where there was one, None where there is no such command."""
    row = connection.execute(
        "with known as (select command_id from command where command_id = %s),"
        " first as (update command set done = %s, message = %s, result_at = %s"
        "   where command_id in (select command_id from known) and done is null returning command_id)"
        " select (select count(*) from first) from known",
        [command_id, done, message, at],
    ).fetchone()
    return None if row is None else bool(row[0])


def delete_old(connection: Connection, age: timedelta) -> int:
    """What was made so long ago and waits no more, some thousand rows at once."""
    return connection.execute(
        "delete from command where command_id in (select command_id from command"
        " where made_at < now() - %s and (done is not null or expires_at < now()) limit %s)",
        [age, _DELETED_AT_ONCE],
    ).rowcount
