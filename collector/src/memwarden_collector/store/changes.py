"""Which scopes got new data: what the analysis asks for each second."""

from dataclasses import dataclass
from typing import Final

from memwarden_collector.store.connection import Database
from memwarden_collector.store.recordings import snapshot

_RECENT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class ChangedScope:
    scope_id: int
    name: str
    kind: str
    interval: float | None
    since: float
    """Unix seconds: nothing that is new is older."""


class ChangeFeed:
    """Remembers what it has seen by the xmin of its last snapshot; at first what came in the last ten
    minutes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watermark: int | None = None

    def poll(self) -> list[ChangedScope]:
        """Scopes with data that was committed since the last call; raises StoreError."""
        with self._database.lend() as connection, snapshot(connection):
            row = connection.execute(
                "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            ).fetchone()
            condition, value = (
                ("at > now() - make_interval(secs => %s)", _RECENT_SECONDS)
                if self._watermark is None
                else ("xact >= %s::text::xid8", self._watermark)
            )
            rows = connection.execute(
                "select scope_id, name, kind, interval_seconds, since from scope join ("  # noqa: S608 - constants
                "  select scope_id, extract(epoch from min(since))::float8 as since from ingest_change"
                f" where {condition} group by scope_id) changed using (scope_id) order by scope_id",
                [value],
            ).fetchall()
        if row is not None:
            self._watermark = row[0]
        return [ChangedScope(*found) for found in rows]
