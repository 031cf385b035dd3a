"""What is known of snapshots; their bytes are files (`snapshot_folder`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from memwarden_collector.snapshots import Declared
from memwarden_collector.store.connection import Connection

RECEIVING: Final = "Receiving"
COMPLETE: Final = "Complete"
DAMAGED: Final = "Damaged"
LOST: Final = "Lost"
_COLUMNS: Final[LiteralString] = (
    "snapshot_id, scope, kind, size, chunks, sha256, folder, state, message, made_at, updated_at"
)
_FIND: Final[LiteralString] = f"select {_COLUMNS} from snapshot where snapshot_id = %s"  # noqa: S608 - constants
_PAGE: Final[LiteralString] = (
    f"select {_COLUMNS} from snapshot where (%s::text is null or scope = %s)"  # noqa: S608 - constants
    " and (%s::uuid is null or snapshot_id < %s) order by snapshot_id desc limit %s"
)
_OF_FOLDER: Final[LiteralString] = f"select {_COLUMNS} from snapshot where folder = %s"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    snapshot_id: UUID
    scope: str
    kind: str
    size: int
    chunks: int
    sha256: bytes
    folder: str
    state: str
    message: str
    made_at: datetime
    updated_at: datetime

    @property
    def declared(self) -> Declared:
        return Declared(self.snapshot_id, self.scope, self.kind, self.size, self.chunks, bytes(self.sha256))


def find(connection: Connection, snapshot_id: UUID) -> SnapshotRow | None:
    row = connection.execute(_FIND, [snapshot_id]).fetchone()
    return None if row is None else SnapshotRow(*row)


def page(connection: Connection, scope: str | None, before: UUID | None, count: int) -> list[SnapshotRow]:
    """The newest first: ids begin with their time."""
    rows = connection.execute(_PAGE, [scope, scope, before, before, count]).fetchall()
    return [SnapshotRow(*row) for row in rows]


def of_folder(connection: Connection, folder: str) -> list[SnapshotRow]:
    return [SnapshotRow(*row) for row in connection.execute(_OF_FOLDER, [folder]).fetchall()]


def begin(connection: Connection, declared: Declared, folder: str) -> None:
    """Unless it is there already."""
    connection.execute(
        "insert into snapshot (snapshot_id, scope, kind, size, chunks, sha256, folder, state)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        [
            declared.snapshot_id,
            declared.scope,
            declared.kind,
            declared.size,
            declared.chunks,
            declared.sha256,
            folder,
            RECEIVING,
        ],
    )


def promised(connection: Connection, folder: str) -> tuple[int, int]:
    """Bytes that are there or on their way, and how many snapshots are on their way."""
    row = connection.execute(
        "select coalesce(sum(size), 0)::bigint, count(*) filter (where state = %s) from snapshot"
        " where folder = %s and state in (%s, %s)",
        [RECEIVING, folder, RECEIVING, COMPLETE],
    ).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def settle(connection: Connection, snapshot_id: UUID, state: str, message: str = "") -> None:
    connection.execute(
        "update snapshot set state = %s, message = %s, updated_at = now() where snapshot_id = %s",
        [state, message, snapshot_id],
    )


def forget(connection: Connection, snapshot_ids: Sequence[UUID]) -> None:
    connection.execute("delete from snapshot where snapshot_id = any(%s)", [list(snapshot_ids)])


def too_many(connection: Connection, folder: str, age: timedelta, of_a_scope: int) -> list[UUID]:
    """Those that are older than `age`, and of each scope those after the newest ones."""
    rows = connection.execute(
        "select snapshot_id from (select snapshot_id, made_at,"
        "   row_number() over (partition by scope order by snapshot_id desc) as place"
        "   from snapshot where folder = %s and state <> %s) s where made_at < now() - %s or place > %s",
        [folder, RECEIVING, age, of_a_scope],
    ).fetchall()
    return [row[0] for row in rows]
