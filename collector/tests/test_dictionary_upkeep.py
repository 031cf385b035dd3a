"""Names that nothing refers to are removed, and no writer ever writes for a name that is gone."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import collector_requests as otlp
import pytest

from memwarden_collector.batch import Batch, Signal, fingerprint
from memwarden_collector.clock import Clock
from memwarden_collector.otlp.metrics import decode_metrics
from memwarden_collector.settings import Limits
from memwarden_collector.store.connection import Connection, Database
from memwarden_collector.store.dictionary_upkeep import DictionaryUpkeep, Horizon
from memwarden_collector.store.migrate import migrate
from memwarden_collector.store.writer import Writer

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_numbers = count(1)


class Store:
    """A database, a writer that knows names by heart, and the upkeep's connection."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.connection = self.connect()
        migrate(self.connection)
        self.writer = Writer(self.database, 1_000_000, 32 << 20)
        self.writer.start()

    def connect(self) -> Connection:
        return self.database.connect("test")

    def write(self, scope: str) -> None:
        blocks, _ = decode_metrics(otlp.metrics(scope, time.time()), Limits(), Clock().now())
        assert self.writer.submit(Batch(fingerprint("batch", next(_numbers)), Signal.METRICS, blocks)).result(
            60
        )

    def rows(self, query: str, *values: Any) -> list[Any]:
        return self.connection.execute(query.encode(), values).fetchall()

    def names(self) -> dict[str, int]:
        return {
            table: self.rows(f"select count(*) from {table}")[0][0]
            for table in ("scope", "resource", "series", "workload_scope", "workload")
        }

    def orphans(self) -> tuple[int, int]:
        """Samples whose name is gone."""
        ((wide,),) = self.rows(
            "select count(*) from mem_sample left join resource using (resource_id) where scope_id is null"
        )
        ((narrow,),) = self.rows(
            "select count(*) from sample left join series using (series_id) where fp is null"
        )
        return wide, narrow


def age(connection: Connection) -> None:
    """As if retention had taken all samples, and nobody had been seen for years."""
    for table in ("mem_sample", "sample"):
        connection.execute(f"delete from {table}".encode())
    for table in ("resource", "scope"):
        connection.execute(
            f"update {table} set seen_last = %s, seen_first = %s".encode(), [LONG_AGO, LONG_AGO]
        )


def clean(connection: Connection) -> int:
    now = datetime.now(UTC)
    return DictionaryUpkeep().round(connection, Horizon(now - timedelta(days=7), now - timedelta(days=90)))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.writer.close(60)
    made.connection.close()
    made.database.close()


def test_what_nothing_refers_to_goes_and_a_writer_that_knows_it_by_heart_makes_it_anew(store: Store) -> None:
    store.write("old")
    store.write("living")
    before = store.names()
    assert clean(store.connection) == 0, "samples refer to all of them"
    age(store.connection)
    store.write("living")
    assert clean(store.connection) > 0
    assert [row[0] for row in store.rows("select name from scope")] == ["living"]
    assert store.names()["series"] == before["series"] / 2
    store.write("old")
    assert store.names() == before
    assert store.orphans() == (0, 0)
    assert store.rows("select count(*) from mem_sample join resource using (resource_id)") == [(4,)]


def test_what_was_said_of_a_scope_keeps_it(store: Store) -> None:
    store.write("told")
    store.rows(
        "insert into verdict (scope_id, at, kind, confidence, at_risk, reason, headline, cause)"
        " select scope_id, now(), 'Healthy', 1, false, '', '', '' from scope returning 1"
    )
    age(store.connection)
    clean(store.connection)
    assert (store.names()["scope"], store.names()["resource"]) == (1, 0)
    store.rows("delete from verdict returning 1")
    clean(store.connection)
    assert store.names()["scope"] == 0


def test_while_a_writer_writes_no_name_goes_that_it_writes_for(store: Store) -> None:
    """Samples are aged and names removed under a writer that goes on with the same few names."""
    over, failures = threading.Event(), []

    def go_on() -> None:
        try:
            for number in count():
                if over.is_set():
                    return
                store.write(f"run-{number % 3}")
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=go_on) for _ in range(2)]
    for one in writers:
        one.start()
    removed, until = 0, time.monotonic() + 60
    with store.connect() as upkeep:
        while removed < 40 and time.monotonic() < until and not failures:
            age(upkeep)
            removed += clean(upkeep)
    over.set()
    for one in writers:
        one.join(60)
    assert not failures
    assert removed >= 40, "names were removed under the writer"
    assert store.orphans() == (0, 0)


def test_of_containers_that_ended_long_ago_a_workload_keeps_the_newest(store: Store) -> None:
    store.connection.execute(
        "insert into workload (name, namespace, kind, owner, container, first_seen)"
        " select name, 'shop', 'Deployment', name, 'app', now() from unnest(array['web', 'gone']) name"
    )
    store.connection.execute(
        "insert into scope (name, kind, seen_first, seen_last)"
        " select 'c' || n, 'container', now(), now() from generate_series(1, 30) n"
    )
    store.connection.execute(
        "insert into workload_scope (scope_id, workload_id, pod, pod_uid, version, at, ended, kind, digest)"
        " select scope_id, (select workload_id from workload where name = 'web'), '', '', '',"
        " %s::timestamptz + scope_id * interval '1 minute', true, 'Healthy', '{}' from scope",
        [LONG_AGO],
    )
    clean(store.connection)
    assert store.rows("select count(*) from workload_scope") == [(20,)]
    assert store.rows(
        "select name from scope where scope_id = (select min(scope_id) from workload_scope)"
    ) == [("c11",)]
    assert store.rows("select name from workload") == [("web",)]
