"""Events of sidecars: what they tell that is no number. Few, bounded by age and by count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from memwarden_collector.batch import ResourceBlock
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.dictionary import KnownResource, moment

_DELETED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class EventItem:
    event_id: int
    at: datetime
    scope: str
    pid: int | None
    name: str
    body: str
    attributes: dict[str, Any]


def write_events(
    connection: Connection, blocks: Sequence[ResourceBlock], resources: Mapping[bytes, KnownResource]
) -> None:
    rows = [(resources[block.identity.fp].resource_id, event) for block in blocks for event in block.events]
    if rows:
        connection.execute(
            "insert into event (ts, resource_id, name, body, attrs) select * from unnest("
            "%s::timestamptz[], %s::bigint[], %s::text[], %s::text[], %s::jsonb[])",
            [
                [moment(event.time) for _, event in rows],
                [resource_id for resource_id, _ in rows],
                [event.name for _, event in rows],
                [event.body for _, event in rows],
                [event.attributes for _, event in rows],
            ],
        )


def page(
    connection: Connection, scope: str | None, name: str | None, after: int, count: int
) -> list[EventItem]:
    """In the order in which they came, behind `after`."""
    rows = connection.execute(
        "select e.event_id, e.ts, s.name, r.pid, e.name, e.body, e.attrs"
        " from event e join resource r using (resource_id) join scope s using (scope_id)"
        " where e.event_id > %s and (%s::text is null or s.name = %s) and (%s::text is null or e.name = %s)"
        " order by e.event_id limit %s",
        [after, scope, scope, name, name, count],
    ).fetchall()
    return [EventItem(*row) for row in rows]


def delete_old(connection: Connection, age: timedelta, most: int) -> int:
    """What is older, and of the rest the oldest beyond so many; some thousand rows at once."""
    return connection.execute(
        "delete from event where event_id in (select event_id from event where ts < now() - %s"
        " or event_id <= (select event_id from event order by event_id desc offset %s limit 1) limit %s)",
        [age, most, _DELETED_AT_ONCE],
    ).rowcount
