"""Hypertables: TimescaleDB makes chunks by itself when rows come; here is only how they go.

The Apache edition has all that this needs.
"""

from datetime import datetime

from memwarden_collector.store.connection import SCHEMA, Connection, translated
from memwarden_collector.store.partitions import note_dropped
from memwarden_collector.store.tables import TimeTable


def drop_before(connection: Connection, table: TimeTable, before: datetime) -> int:
    """Drop the chunks that end by `before`, in one transaction, and return how many.

    The connection's search_path must have the extension's schema.
    """
    with translated(), connection.transaction():
        row = connection.execute(
            "select max(range_end), count(*) from timescaledb_information.chunks"
            " where hypertable_schema = %s and hypertable_name = %s and range_end <= %s",
            [SCHEMA, table.name, before],
        ).fetchone()
        if row is None or row[0] is None:
            return 0
        connection.execute(
            "select drop_chunks(%s::regclass, older_than => %s::timestamptz)",
            [f"{SCHEMA}.{table.name}", row[0]],
        )
        note_dropped(connection, table, row[0])
        return int(row[1])
