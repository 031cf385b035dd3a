"""Nothing that was acknowledged is lost, nothing counts twice: whatever is killed or taken away."""

import contextlib
import threading
import time
from typing import Any

import collector_requests as otlp
import httpx
from collector_processes import Server

from memwarden_api import names


class Sender(threading.Thread):
    """Sends numbered points with an id each, and each again until it is acknowledged."""

    def __init__(self, url: str, place: int) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.place = place
        self.stop = threading.Event()
        self.client = httpx.Client(timeout=60, trust_env=False, verify=False)
        self.acknowledged: list[int] = []
        self.statuses: set[int] = set()

    def run(self) -> None:
        started, number = time.time(), 0
        while not self.stop.is_set():
            number += 1
            request = otlp.metrics(f"run{self.place}", started + number / 1e4, anon=float(number))
            headers = {**otlp.PROTOBUF, names.BATCH_ID_HEADER: otlp.batch_id()}
            body = request.SerializeToString()
            while not self.stop.is_set():
                with contextlib.suppress(httpx.TransportError):
                    response = self.client.post(self.url + names.METRICS_PATH, content=body, headers=headers)
                    self.statuses.add(response.status_code)
                    if response.is_success:
                        self.acknowledged.append(number)
                        break
                self.stop.wait(0.05)
        self.client.close()


def wait_for(what: Any, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def check(senders: list[Sender], rows: Any) -> None:
    for sender in senders:
        stored = [
            int(row[0])
            for row in rows(
                "select anon_bytes from mem_sample join resource using (resource_id) join scope using"
                " (scope_id)"
                " where pid is null and name = %s order by ts",
                f"run{sender.place}",
            )
        ]
        assert len(stored) == len(set(stored)), "something counts twice"
        assert set(sender.acknowledged) <= set(stored), "something acknowledged is lost"
        # At most the one that was on its way is there without an acknowledgement.
        assert len(stored) <= len(sender.acknowledged) + 1


def test_kill_of_the_collector_under_load(start: Any, database_url: str, rows: Any) -> None:
    collector = start(database_url)
    senders = [Sender(collector.url, place) for place in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(3):
        before = [len(sender.acknowledged) for sender in senders]
        wait_for(
            lambda before=before: all(
                len(s.acknowledged) > n + 10 for s, n in zip(senders, before, strict=True)
            )
        )
        collector.kill()
        collector = start(database_url)
        for sender in senders:
            sender.url = collector.url
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        sender.join(120)
    check(senders, rows)


def test_the_database_goes_away_and_comes_back(server: Server, start: Any, database_url: str) -> None:
    collector = start(database_url)
    senders = [Sender(collector.url, place) for place in range(3)]
    for sender in senders:
        sender.start()
    wait_for(lambda: all(len(sender.acknowledged) > 5 for sender in senders))
    server.stop()
    try:
        wait_for(lambda: collector.client.get("/readyz").status_code == 503)
        assert collector.client.get("/readyz").json()["database"]["status"] == "away"
        response = otlp.post_metrics(collector.client, otlp.metrics("x", time.time()))
        assert response.status_code == 503
        assert "retry-after" in response.headers
        response = collector.client.get("/api/v1/scopes")
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert collector.client.get("/healthz").status_code == 200
    finally:
        server.start()
    before = [len(sender.acknowledged) for sender in senders]
    wait_for(lambda: collector.client.get("/readyz").status_code == 200)
    wait_for(lambda: all(len(s.acknowledged) > n + 5 for s, n in zip(senders, before, strict=True)))
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        sender.join(120)
        assert sender.statuses <= {200, 503}
    import psycopg

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set search_path = memwarden")
        check(senders, lambda query, *values: connection.execute(query, values).fetchall())
    assert collector.stop() == 0
    log = collector.log.read_text()
    assert "Traceback" not in log
    assert log.count(" ERROR ") <= 2, log  # one line for each change of state
    assert "the database answers again" in log


def test_a_signal_ends_it_after_what_is_in_flight(start: Any, database_url: str, rows: Any) -> None:
    collector = start(database_url)
    senders = [Sender(collector.url, place) for place in range(3)]
    for sender in senders:
        sender.start()
    wait_for(lambda: all(len(sender.acknowledged) > 5 for sender in senders))
    began = time.monotonic()
    assert collector.stop() == 0
    assert time.monotonic() - began < 50
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        sender.join(120)
    check(senders, rows)
    assert "Traceback" not in collector.log.read_text()
