"""A sign of life of the database: which schema it has, and which jobs some collector does."""

from dataclasses import dataclass
from typing import Final

from memwarden_collector.store.connection import Connection
from memwarden_collector.store.ownership import Job

_LOW: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Pulse:
    migration: int
    """The newest that is applied."""
    jobs: frozenset[Job]
    """Those that some collector holds the lock of."""


def feel(connection: Connection) -> Pulse:
    keys = {job: (job.value >> 32, job.value & _LOW) for job in Job}
    row = connection.execute(
        "select (select max(number) from migration), array(select row(classid::bigint, objid::bigint)::text"
        " from pg_locks where locktype = 'advisory' and granted and objsubid = 1"
        " and database = (select oid from pg_database where datname = current_database()))"
    ).fetchone()
    assert row is not None
    held = set(row[1])
    return Pulse(
        row[0] or 0, frozenset(job for job, (high, low) in keys.items() if f"({high},{low})" in held)
    )
