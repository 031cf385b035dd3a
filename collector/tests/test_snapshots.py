"""Snapshots in chunks: kept once acknowledged, checked, resumed, bounded; events; no other log is kept."""

import hashlib
import os
import random
import re
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import collector_requests as otlp
import httpx
import pytest
from collector_processes import Collector
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from memwarden_api import names, snapshots
from memwarden_collector.store import events
from memwarden_collector.store.connection import Database
from memwarden_collector.store.migrate import migrate

SIZE = 1000
PATIENCE = 120.0


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < until, what
        time.sleep(0.02)
    return value


class Upload:
    """The bytes of one snapshot, cut into chunks of SIZE."""

    def __init__(self, length: int = 10 * SIZE - 300, scope: str = "run", seed: int = 1) -> None:
        self.id, self.scope = otlp.batch_id(), scope
        self.data = random.Random(seed).randbytes(length)
        self.pieces = [self.data[start : start + SIZE] for start in range(0, length, SIZE)]

    def record(self, index: int, **more: object) -> dict[str, object]:
        piece = self.pieces[index] if index < len(self.pieces) else b"x"
        return {
            names.SNAPSHOT_ID: self.id,
            names.SNAPSHOT_KIND: "test",
            names.SNAPSHOT_SIZE: len(self.data),
            names.SNAPSHOT_SHA256: hashlib.sha256(self.data).hexdigest(),
            names.SNAPSHOT_CHUNKS: len(self.pieces),
            names.SNAPSHOT_CHUNK: index,
            names.SNAPSHOT_CHUNK_SHA256: hashlib.sha256(piece).hexdigest(),
        } | more

    def request(self, indices: Sequence[int], **more: object) -> ExportLogsServiceRequest:
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.extend(otlp.pairs(otlp.scope_attributes(self.scope)))
        records = resource.scope_logs.add().log_records
        for index in indices:
            record = records.add(time_unix_nano=time.time_ns())
            record.body.bytes_value = self.pieces[index] if index < len(self.pieces) else b"x"
            record.attributes.extend(otlp.pairs(self.record(index, **more)))
        return request


def send(client: httpx.Client, request: ExportLogsServiceRequest) -> ExportLogsServiceResponse:
    answer = client.post(names.LOGS_PATH, content=request.SerializeToString(), headers=otlp.PROTOBUF)
    assert answer.status_code == 200, answer.text
    return ExportLogsServiceResponse.FromString(answer.content)


def refused(client: httpx.Client, request: ExportLogsServiceRequest) -> str:
    answer = send(client, request).partial_success
    assert answer.rejected_log_records == 1, answer
    return answer.error_message


def state(client: httpx.Client, snapshot: str) -> snapshots.Snapshot:
    answer = client.get(f"/api/v1/snapshots/{snapshot}")
    assert answer.status_code == 200, answer.text
    return snapshots.Snapshot.model_validate_json(answer.content)


@pytest.fixture
def keeping(start: Any, database_url: str, tmp_path: Path) -> Callable[..., Collector]:
    options = ("--snapshot-folder", str(tmp_path / "snapshots"), "--min-snapshot-free-bytes", "0")
    return lambda *more: start(database_url, *options, *more)


def test_chunks_in_any_order_become_the_file(keeping: Any, tmp_path: Path) -> None:
    collector = keeping()
    client, upload = collector.client, Upload()
    for indices in ([7], [0, 9, 2, 2], [0]):
        assert not send(client, upload.request(indices)).HasField("partial_success")
    seen = state(client, upload.id)
    assert seen.state == "Receiving"
    assert seen.missing is not None
    assert [(one.first, one.last) for one in seen.missing] == [(1, 1), (3, 6), (8, 8)]
    assert client.get(f"/api/v1/snapshots/{upload.id}/content").status_code == 409
    json_body = {"content-type": "application/json"}
    for index in (1, 3, 4, 5, 6, 8):
        send(client, upload.request([index]))
    wait_for(lambda: state(client, upload.id).state == "Complete", "the whole snapshot")
    assert state(client, upload.id).missing == ()
    assert not send(client, upload.request([3])).HasField("partial_success")  # its acknowledgement was lost
    answer = client.get(f"/api/v1/snapshots/{upload.id}/content")
    assert answer.content == upload.data
    part = client.get(f"/api/v1/snapshots/{upload.id}/content", headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, upload.data[5:10])
    single = Upload(length=1, seed=2)
    send(client, single.request([0]))
    wait_for(lambda: state(client, single.id).state == "Complete", "a snapshot of one byte")
    page = snapshots.SnapshotPage.model_validate_json(client.get("/api/v1/snapshots?limit=1").content)
    assert [one.id for one in page.items] == [single.id]
    more = client.get("/api/v1/snapshots", params={"limit": 1, "cursor": page.next_cursor}).json()
    assert [one["id"] for one in more["items"]] == [upload.id]
    assert {path.name for path in (tmp_path / "snapshots").glob("*")} - {".lock", ".name"} == {
        f"{upload.id}.snapshot",
        f"{single.id}.snapshot",
    }
    assert client.delete(f"/api/v1/snapshots/{upload.id}").status_code == 204
    assert client.get(f"/api/v1/snapshots/{upload.id}").status_code == 404
    assert not list((tmp_path / "snapshots").glob(f"{upload.id}*"))
    assert client.get("/api/v1/snapshots/no-id").status_code == 422
    assert client.post("/api/v1/snapshots", headers=json_body).status_code == 405
    assert 'snapshots_total{what="complete"} 2' in client.get("/metrics").text


def test_what_a_chunk_says_is_held_against_it(keeping: Any) -> None:
    client = keeping("--max-snapshot-chunk-bytes", "1000", "--max-snapshot-bytes", "20000").client
    upload = Upload()
    send(client, upload.request([0]))
    cases: list[tuple[dict[str, object], int, str]] = [
        ({names.SNAPSHOT_CHUNK_SHA256: "00" * 32}, 1, "chunk 1 is not what its sha256 says"),
        ({names.SNAPSHOT_CHUNK_SHA256: "nothex"}, 1, "chunk_sha256 is not a sha256"),
        ({names.SNAPSHOT_SHA256: "11" * 32}, 1, "begun with another"),
        ({names.SNAPSHOT_KIND: "other"}, 1, "begun with another"),
        ({names.SNAPSHOT_KIND: ""}, 1, "snapshot.kind is not a text"),
        ({names.SNAPSHOT_SIZE: 20001}, 1, "over max_snapshot_bytes=20000"),
        ({names.SNAPSHOT_SIZE: -1}, 1, "snapshot.size is not a whole number"),
        ({names.SNAPSHOT_SIZE: 9000}, 1, "all but the last have one size"),
        ({names.SNAPSHOT_CHUNKS: 9}, 1, "all but the last have one size"),
        ({names.SNAPSHOT_CHUNKS: 0}, 1, "all but the last have one size"),
        ({names.SNAPSHOT_CHUNK: 10}, 1, "chunk 10 of 10"),
        ({names.SNAPSHOT_CHUNK: 9}, 1, "all but the last have one size"),  # a whole chunk at the end
        ({names.SNAPSHOT_CHUNK: True}, 1, "snapshot.chunk is not a whole number"),
        ({names.SNAPSHOT_ID: "no"}, 1, "not a UUID of version 7"),
        ({names.SNAPSHOT_ID: str(uuid.uuid4())}, 1, "not a UUID of version 7"),
        ({names.SNAPSHOT_ID: "../../../etc/passwd"}, 1, "not a UUID of version 7"),
        ({"other": "a\x00b"}, 1, "U\\+0000"),
    ]
    for more, index, text in cases:
        said = refused(client, upload.request([index], **more))
        assert re.search(text, said), (more, said)
    large = upload.request([1])
    large.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value = b"x" * 1001
    assert "over max_snapshot_chunk_bytes=1000" in refused(client, large)
    texty = upload.request([1])
    texty.resource_logs[0].scope_logs[0].log_records[0].body.string_value = "x"
    assert "is not bytes" in refused(client, texty)
    mixed = upload.request([1, 2])
    mixed.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value = b"damaged"
    assert "1 log records rejected" in refused(client, mixed)  # the other one is kept
    seen = state(client, upload.id).missing
    assert seen is not None
    assert [(one.first, one.last) for one in seen] == [(1, 1), (3, 9)]
    metrics = client.get("/metrics").text
    assert (
        'limit="max_snapshot_chunk_bytes",reason="snapshot_chunk_bytes",signal="logs",value="1000"' in metrics
    )


def test_a_whole_with_another_check_sum_is_damaged(keeping: Any, tmp_path: Path) -> None:
    client, upload = keeping().client, Upload()
    wrong = {names.SNAPSHOT_SHA256: "22" * 32}
    send(client, upload.request(range(10), **wrong))
    wait_for(lambda: state(client, upload.id).state == "Damaged", "the damage to be seen")
    assert "is Damaged" in refused(client, upload.request([0], **wrong))
    assert not list((tmp_path / "snapshots").glob(f"{upload.id}*"))


def test_room_is_bounded_and_the_disk_is_never_filled(keeping: Any, tmp_path: Path) -> None:
    first = keeping("--max-snapshots-bytes", "25000", "--max-receiving-snapshots", "2")
    client = first.client
    one, two, three = (Upload(seed=seed) for seed in (1, 2, 3))
    send(client, one.request([0])), send(client, two.request([0]))
    assert "over max_snapshots_bytes=25000" in refused(client, three.request([0]))
    assert client.delete(f"/api/v1/snapshots/{two.id}").status_code == 204
    small = Upload(length=500)
    send(client, small.request([0]))
    wait_for(lambda: state(client, small.id).state == "Complete", "the small one")
    send(client, three.request([0]))
    assert "max_receiving_snapshots=2" in refused(client, Upload(length=700).request([0]))
    metrics = client.get("/metrics").text
    for limit in ("max_snapshots_bytes", "max_receiving_snapshots"):
        assert f'rejected_total{{limit="{limit}"' in metrics
    assert first.stop() == 0
    free = os.statvfs(tmp_path)
    whole = str(free.f_blocks * free.f_frsize * 2)
    full = keeping("--min-snapshot-free-bytes", whole)
    assert f"min_snapshot_free_bytes={whole}" in refused(full.client, one.request([1]))
    assert full.client.get("/readyz").json()["snapshots"]["status"] == "low"
    assert full.client.get("/readyz").status_code == 200


@pytest.mark.system  # several collectors are started
def test_kill_9_in_the_middle_keeps_what_was_acknowledged(keeping: Any) -> None:
    upload = Upload(length=400 * SIZE - 1)
    order = list(range(len(upload.pieces)))
    random.Random(5).shuffle(order)
    acknowledged: set[int] = set()
    collector = keeping()
    for round_ in range(4):
        killed_at = time.monotonic() + 0.2
        for index in order:
            if index in acknowledged:
                continue
            if round_ < 3 and time.monotonic() > killed_at and acknowledged:
                collector.process.kill()  # while the next one is on its way
            try:
                send(collector.client, upload.request([index]))
            except httpx.TransportError:
                break
            acknowledged.add(index)
        if round_ < 3:
            collector.kill()
            collector = keeping()
            seen = state(collector.client, upload.id)
            if seen.state == "Receiving":
                missing = {n for one in seen.missing or () for n in range(one.first, one.last + 1)}
                assert missing.isdisjoint(acknowledged)
    wait_for(lambda: state(collector.client, upload.id).state == "Complete", "the whole snapshot")
    assert collector.client.get(f"/api/v1/snapshots/{upload.id}/content").content == upload.data


@pytest.mark.system  # several collectors are started
def test_a_half_written_note_is_none_and_leftovers_go(keeping: Any, tmp_path: Path, rows: Any) -> None:
    collector, upload = keeping(), Upload()
    send(collector.client, upload.request([0, 1, 2]))
    collector.kill()
    folder = tmp_path / "snapshots"
    notes = folder / f"{upload.id}.chunks"
    notes.write_bytes(notes.read_bytes()[:-7])
    stray = folder / f"{otlp.batch_id()}.part"
    stray.write_bytes(b"x")
    os.utime(stray, (1, 1))
    collector = keeping(
        "--upkeep-seconds", "0.2", "--scope-snapshots", "2", "--partial-snapshot-hours", "0.01"
    )
    seen = state(collector.client, upload.id).missing
    assert seen is not None
    assert (seen[0].first, seen[0].last) == (2, 9)
    wait_for(lambda: not stray.exists(), "the stray file to go")
    send(collector.client, upload.request(range(2, 10)))
    wait_for(lambda: state(collector.client, upload.id).state == "Complete", "the whole snapshot")
    later = [Upload(length=10, seed=seed) for seed in (7, 8)]
    for one in later:
        send(collector.client, one.request([0]))

    def ids() -> set[str]:
        return {one["id"] for one in collector.client.get("/api/v1/snapshots").json()["items"]}

    wait_for(lambda: ids() == {one.id for one in later}, "the oldest of three to go")
    (folder / f"{later[0].id}.snapshot").unlink()
    wait_for(lambda: state(collector.client, later[0].id).state == "Lost", "the loss to be seen")
    given_up = Upload(scope="other")
    send(collector.client, given_up.request([0]))
    for file in folder.glob(f"{given_up.id}*"):
        os.utime(file, (1, 1))
    wait_for(lambda: given_up.id not in ids(), "the abandoned one to go")
    assert not list(folder.glob(f"{given_up.id}*"))


def test_a_folder_has_one_collector(keeping: Any, tmp_path: Path) -> None:
    keeping()
    with pytest.raises(AssertionError, match="is used by another collector"):
        keeping()


@pytest.mark.system  # several collectors are started
def test_without_a_folder_and_without_a_database(
    start: Any, server: Any, database_url: str, keeping: Any
) -> None:
    upload = Upload()
    plain = start(database_url)
    assert "--snapshot-folder" in refused(plain.client, upload.request([0]))
    assert plain.stop() == 0
    collector = keeping()
    server.stop()
    body = upload.request([0]).SerializeToString()
    answer = collector.client.post(names.LOGS_PATH, content=body, headers=otlp.PROTOBUF)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    server.start()
    send(collector.client, upload.request([0]))


def test_events_of_ours_are_kept_once_and_other_logs_are_not(collector: Collector, rows: Any) -> None:
    client = collector.client
    request = ExportLogsServiceRequest()
    ours = request.resource_logs.add()
    ours.resource.attributes.extend(otlp.pairs(otlp.process_attributes("run", 7)))
    records = ours.scope_logs.add().log_records
    now = time.time_ns()
    records.add(time_unix_nano=now, event_name="memwarden.oom").body.string_value = "killed"
    other = records.add(observed_time_unix_nano=now)
    other.attributes.extend(otlp.pairs({names.EVENT_NAME: "memwarden.oom", "n": 1}))
    records.add(time_unix_nano=now, event_name="app.started").body.string_value = "x"
    records.add(event_name="memwarden.oom")  # no time
    records.add(time_unix_nano=now, event_name="memwarden.oom").body.string_value = "a\x00"
    request.resource_logs.add().scope_logs.add().log_records.add(
        event_name="memwarden.oom", time_unix_nano=now
    )
    body = request.SerializeToString()
    for _ in range(2):  # the same bytes count once
        answer = client.post(names.LOGS_PATH, content=body, headers=otlp.PROTOBUF)
        partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
        assert partial.rejected_log_records == 4
    found = snapshots.EventPage.model_validate_json(client.get("/api/v1/events?scope=run").content).items
    assert [(one.scope, one.pid, one.name, one.body, one.attributes) for one in found] == [
        ("run", 7, "memwarden.oom", "killed", {}),
        ("run", 7, "memwarden.oom", "", {"n": 1}),
    ]
    assert client.get("/api/v1/events?scope=none").json()["items"] == []
    first = client.get("/api/v1/events?limit=1").json()
    rest_of_it = client.get("/api/v1/events", params={"cursor": first["next_cursor"]}).json()
    assert len(first["items"]) == len(rest_of_it["items"]) == 1


def test_old_events_and_too_many_go(database_url: str) -> None:
    with Database(database_url).connect("test") as connection:
        migrate(connection)
        connection.execute(
            "insert into event (ts, resource_id, name, body, attrs)"
            " select now() - n * interval '1 day', 1, 'memwarden.x', '', '{}' from generate_series(20, 1, -1) n"
        )
        assert events.delete_old(connection, timedelta(days=15.5), 100) == 5
        assert events.delete_old(connection, timedelta(days=15.5), 4) == 11
        assert events.delete_old(connection, timedelta(days=15.5), 4) == 0
