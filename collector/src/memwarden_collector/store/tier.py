"""What the database can do, and how its tables are laid out. Asked of the database, not told by a setting.

`plain` is any PostgreSQL from 15 on; `apache` has TimescaleDB in the edition under the Apache licence (hypertables,
dropping of chunks); `timescale` has the edition under the Timescale licence (compression). The layout is what the
migration chose by the tier of its day: an extension that came later changes the tier, not the layout.
"""

from dataclasses import dataclass
from enum import StrEnum

from memwarden_collector.store.connection import SCHEMA, Connection, translated


class Tier(StrEnum):
    PLAIN = "plain"
    APACHE = "apache"
    TIMESCALE = "timescale"


class Layout(StrEnum):
    PARTITIONS = "partitions"
    HYPERTABLES = "hypertables"


@dataclass(frozen=True, slots=True)
class Store:
    """What is known of the database after the start."""

    tier: Tier
    layout: Layout
    postgresql: str
    timescaledb: str
    """"" without it."""

    def __str__(self) -> str:
        extension = f", TimescaleDB {self.timescaledb}" if self.timescaledb else ""
        return f"PostgreSQL {self.postgresql}{extension}: tier {self.tier}, laid out in {self.layout}"


def detect(connection: Connection) -> Tier:
    """The tier of this database; raises psycopg's errors."""
    if not _extension(connection):
        return Tier.PLAIN
    # The licence is the server's; a build of the Apache edition does not have the other one's library at all.
    row = connection.execute("select current_setting('timescaledb.license', true)").fetchone()
    return Tier.TIMESCALE if row is not None and row[0] == "timescale" else Tier.APACHE


def describe(connection: Connection) -> Store:
    """The state after the migrations; raises StoreError."""
    with translated():
        tier = detect(connection)
        layout = Layout.PARTITIONS
        if tier is not Tier.PLAIN:
            found = connection.execute(
                "select exists(select from timescaledb_information.hypertables"
                " where hypertable_schema = %s and hypertable_name = 'mem_sample')",
                [SCHEMA],
            ).fetchone()
            layout = Layout.HYPERTABLES if found is not None and found[0] else Layout.PARTITIONS
        version = connection.info.server_version
        return Store(tier, layout, f"{version // 10_000}.{version % 10_000}", _extension(connection))


def _extension(connection: Connection) -> str:
    row = connection.execute("select extversion from pg_extension where extname = 'timescaledb'").fetchone()
    return "" if row is None else str(row[0])
