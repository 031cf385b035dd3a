"""Evidence as it is kept: one row each, with the bytes. Time is the database's; what has expired is deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from memwarden_api.evidence import EvidenceRequest
from memwarden_collector.store.connection import Connection

CAPTURING: Final = "Capturing"
DONE: Final = "Done"
REFUSED: Final = "Refused"
FAILED: Final = "Failed"
_DELETED_AT_ONCE: Final = 1000
_COLUMNS: Final[LiteralString] = (
    "evidence_id, number, cluster, namespace, pod, pod_uid, container, scope, kinds, state, reason, message, waits,"
    " size, sha256, made_at, done_at, expires_at, extract(epoch from now() - made_at)::float8 > wait_seconds"
)
_FIND: Final[LiteralString] = f"select {_COLUMNS} from evidence where evidence_id = %s"  # noqa: S608 - constants
_PAGE: Final[LiteralString] = (
    f"select {_COLUMNS} from evidence where (%(namespace)s = '' or namespace = %(namespace)s)"  # noqa: S608 - constants
    " and (%(before)s = 0 or number < %(before)s) order by number desc limit %(count)s"
)


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    evidence_id: UUID
    number: int
    cluster: str
    namespace: str
    pod: str
    pod_uid: str
    container: str
    scope: str
    kinds: tuple[str, ...]
    state: str
    reason: str
    message: str
    waits: Mapping[str, Mapping[str, Any]]
    size: int
    sha256: bytes
    made_at: datetime
    done_at: datetime | None
    expires_at: datetime
    is_late: bool
    """It has taken longer than it may."""


def find(connection: Connection, evidence_id: UUID) -> EvidenceRow | None:
    row = connection.execute(_FIND, [evidence_id]).fetchone()
    return None if row is None else EvidenceRow(*row)


def page(connection: Connection, namespace: str, before: int, count: int) -> list[EvidenceRow]:
    """The newest first, with numbers below `before` (0: all); of one namespace, or "" for all."""
    given = {"namespace": namespace, "before": before, "count": count}
    return [EvidenceRow(*row) for row in connection.execute(_PAGE, given).fetchall()]


def scope_of(connection: Connection, prefix: str) -> str | None:
    """The newest life of a container, whose name begins with `prefix`; None where nothing was heard of it."""
    row = connection.execute(
        "select name from scope where kind = 'container' and starts_with(name, %s) order by seen_last desc limit 1",
        [prefix],
    ).fetchone()
    return None if row is None else str(row[0])


def spent(connection: Connection, pod_uid: str) -> tuple[int, int]:
    """Evidence of the pod that was taken or is being taken in the last hour, and bytes of all that is kept."""
    row = connection.execute(
        "select count(*) filter (where pod_uid = %s and state in (%s, %s) and made_at > now() - interval '1 hour'),"
        " coalesce(sum(size), 0)::bigint from evidence",
        [pod_uid, CAPTURING, DONE],
    ).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def begin(
    connection: Connection,
    evidence_id: UUID,
    wanted: EvidenceRequest,
    *,
    cluster: str = "",
    scope: str = "",
    state: str = CAPTURING,
    reason: str = "",
    message: str = "",
    waits: Mapping[str, Mapping[str, Any]] | None = None,
) -> bool:
    """False where somebody began it meanwhile."""
    return (
        connection.execute(
            "insert into evidence (evidence_id, cluster, namespace, pod, pod_uid, container, scope, kinds, state,"
            " reason, message, waits, wait_seconds, keep_seconds, expires_at) values (%s, %s, %s, %s, %s, %s, %s, %s,"
            " %s, %s, %s, %s, %s, %s, now() + %s * interval '1 second') on conflict do nothing",
            [
                evidence_id, cluster, wanted.namespace, wanted.pod, wanted.pod_uid, wanted.container, scope,
                list(wanted.kinds), state, reason, message, Jsonb(waits or {}), wanted.wait_seconds,
                wanted.keep_seconds, wanted.keep_seconds,
            ],
        ).rowcount
        == 1
    )  # fmt: skip


def await_(connection: Connection, evidence_id: UUID, waits: Mapping[str, Mapping[str, Any]]) -> None:
    """What it waits for."""
    connection.execute("update evidence set waits = %s where evidence_id = %s", [Jsonb(waits), evidence_id])


def fail(connection: Connection, evidence_id: UUID, reason: str, message: str) -> None:
    connection.execute(
        "update evidence set state = %s, reason = %s, message = %s, done_at = now()"
        " where evidence_id = %s and state = %s",
        [FAILED, reason, message, evidence_id, CAPTURING],
    )


def finish(
    connection: Connection, evidence_id: UUID, content: bytes, sha256: bytes, reason: str, message: str
) -> None:
    """The first that comes counts; it is kept from now on."""
    connection.execute(
        "update evidence set state = %s, reason = %s, message = %s, content = %s, sha256 = %s, size = %s,"
        " done_at = now(), expires_at = now() + keep_seconds * interval '1 second'"
        " where evidence_id = %s and state = %s",
        [DONE, reason, message, content, sha256, len(content), evidence_id, CAPTURING],
    )


def content(connection: Connection, evidence_id: UUID) -> bytes | None:
    row = connection.execute(
        "select content from evidence where evidence_id = %s and state = %s", [evidence_id, DONE]
    ).fetchone()
    return None if row is None else bytes(row[0])


def forget(connection: Connection, evidence_ids: Sequence[UUID]) -> int:
    return connection.execute(
        "delete from evidence where evidence_id = any(%s)", [list(evidence_ids)]
    ).rowcount


def forget_undecided(connection: Connection, evidence_id: UUID, recording: str) -> None:
    """Where no decision names its recording."""
    connection.execute(
        "delete from evidence where evidence_id = %s"
        " and not exists (select from decision where decision.recording = %s)",
        [evidence_id, recording],
    )


def delete_old(connection: Connection) -> int:
    """What has expired, some at once."""
    return connection.execute(
        "delete from evidence where evidence_id in"
        " (select evidence_id from evidence where expires_at < now() limit %s)",
        [_DELETED_AT_ONCE],
    ).rowcount
