"""What only the full edition of TimescaleDB has: chunks kept by column. Statements as text.

UNPROVEN: that edition can't be had where Memwarden is tested, so nothing here has ever run. The Apache edition refuses
every one of these statements (SQLSTATE 0A000), and the upkeep sends them to the tier `timescale` alone.
"""

from typing import Final

AFTER_CHUNKS: Final = 2
"""Chunks that stay as rows: the one being written, and the one that late samples go to."""
SEGMENT_BY: Final = {"mem_sample": "resource_id", "sample": "series_id"}
"""By table. One segment holds the rows of one resource or series: a chunk has at least a thousand of each at 15 s."""


def enable(table: str) -> str:
    """Once a table; doing it again changes nothing."""
    return (
        f"alter table memwarden.{table} set (timescaledb.compress,"
        f" timescaledb.compress_segmentby = '{SEGMENT_BY[table]}', timescaledb.compress_orderby = 'ts')"
    )


IS_ENABLED: Final = (
    "select compression_enabled from timescaledb_information.hypertables"
    " where hypertable_schema = 'memwarden' and hypertable_name = %s"
)
NEXT_CHUNK: Final = (
    "select format('%%I.%%I', chunk_schema, chunk_name) from timescaledb_information.chunks"
    " where hypertable_schema = 'memwarden' and hypertable_name = %s and not is_compressed"
    " and range_end < (select max(range_end) from timescaledb_information.chunks"
    "   where hypertable_schema = 'memwarden' and hypertable_name = %s and range_start <= now())"
    "   - %s * (range_end - range_start)"
    " order by range_start limit 1"
)
"""The oldest chunk to compress, None when all are. Parameters: the table, the table, AFTER_CHUNKS - 1."""
COMPRESS: Final = "select compress_chunk(%s::regclass, if_not_compressed => true)"
"""One chunk a transaction: it takes an exclusive lock at its end."""
