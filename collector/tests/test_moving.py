"""Rows that move out of the default partition are seen by readers all the while."""

import threading
from datetime import UTC, datetime, timedelta

from memwarden_collector.store import partitions
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.tables import MEASURED

DAYS = 20
ROWS = 300


def count(connection: Connection) -> int:
    row = connection.execute("select count(*) from mem_sample").fetchone()
    assert row is not None
    return int(row[0])


def test_a_reader_misses_nothing_while_rows_are_moved(database_url: str) -> None:
    database = Database(database_url)
    over, found = threading.Event(), set()

    def read() -> None:
        with database.connect("reader") as connection:
            while not over.is_set():
                found.add(count(connection))

    with database.connect("upkeep") as connection:
        migrate(connection)
        now = datetime.now(UTC)
        connection.execute(
            "insert into mem_sample (ts, resource_id) select %s::timestamptz - d * interval '1 day', n"
            " from generate_series(1, %s) d, generate_series(1, %s) n",
            [now, DAYS, ROWS],
        )
        readers = [threading.Thread(target=read) for _ in range(3)]
        for one in readers:
            one.start()
        table = next(one for one in MEASURED if one.name == "mem_sample")
        moved = sum(
            partitions.make(connection, table, partitions.step_start(table, now - timedelta(days=day)))
            for day in range(1, DAYS + 1)
        )
        over.set()
        for one in readers:
            one.join(60)
    database.close()
    assert moved == DAYS * ROWS
    assert found == {DAYS * ROWS}
