"""The way to the collector: away and back, refusals, full disks, kill −9. Nothing is lost unsaid."""

import os
import resource
import shutil
import ssl
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from waiting import wait_for

from memwarden_api import names
from memwarden_sidecar.errors import CannotStart
from memwarden_sidecar.export import backlog as backlog_module
from memwarden_sidecar.export.account import FILE, Settled, settle
from memwarden_sidecar.export.backlog import Backlog
from memwarden_sidecar.export.batch import Batch, BatchIds, Kind, compress
from memwarden_sidecar.export.destination import Destination
from memwarden_sidecar.export.sender import Sender
from memwarden_sidecar.export.spool import Spool
from memwarden_sidecar.export.transport import Transport, Verdict, judge
from memwarden_sidecar.notices import Notices


@pytest.fixture
def ids():
    return BatchIds(time.time)


def batch_of(ids, size=100, kind=Kind.METRICS) -> Batch:
    return Batch(ids.next(), kind, compress(os.urandom(size)))


class Line:
    """A sender; without chance its pauses are the shortest."""

    def __init__(self, url: str, spool: Spool | None) -> None:
        self.notices = Notices()
        self.backlog = Backlog(spool, self.notices, time.monotonic)
        self.sender = Sender(
            Transport(Destination(url, "secret")), self.backlog, self.notices, time.monotonic, lambda: 0.0
        )
        self.sender.start()


@pytest.fixture
def line(receiver):
    made = []

    def start(spool=None) -> Line:
        made.append(Line(receiver.url, spool))
        return made[-1]

    yield start
    receiver.released.set()
    for one in made:
        one.sender.close(1.0)


def test_a_batch_arrives_with_its_id_token_and_path(line, receiver, ids):
    metrics, profiles = batch_of(ids), batch_of(ids, kind=Kind.PROFILES)
    one = line()
    one.sender.offer(metrics)
    one.sender.offer(profiles)
    wait_for(lambda: len(receiver.requests) == 2)
    assert [(path, batch) for path, batch, _ in receiver.requests] == [
        (names.METRICS_PATH, metrics.id),
        (names.PROFILES_PATH, profiles.id),
    ]
    assert receiver.headers[0]["Authorization"] == "Bearer secret"
    assert receiver.headers[0]["Content-Type"] == "application/x-protobuf"


@pytest.mark.parametrize("with_spool", [True, False])
def test_what_was_on_its_way_when_younger_ones_were_put_away_is_still_the_oldest(ids, tmp_path, with_spool):
    backlog = Backlog(Spool(tmp_path, 1 << 20) if with_spool else None, Notices(), time.monotonic)
    batches = [batch_of(ids) for _ in range(4)]
    for number in (1, 2, 0, 3):
        backlog.add(batches[number])
    for batch in batches:
        oldest = backlog.oldest()
        assert oldest == batch
        backlog.remove(oldest)
    backlog.close()


@pytest.mark.parametrize("with_spool", [True, False])
def test_a_collector_that_was_away_gets_everything_once(line, receiver, ids, tmp_path, with_spool):
    receiver.stop()
    one = line(Spool(tmp_path / "spool", 1 << 20) if with_spool else None)
    batches = [batch_of(ids) for _ in range(30)]
    for batch in batches:
        one.sender.offer(batch)
    wait_for(lambda: len(one.backlog) == 30)
    receiver.start()
    wait_for(lambda: len(receiver.requests) >= 30)
    one.sender.close(3)
    assert receiver.ids() == {batch.id: 1 for batch in batches}
    assert [batch for _, batch, _ in receiver.requests] == [batch.id for batch in batches]
    assert not list((tmp_path / "spool").glob("0*")) if with_spool else True


def test_live_data_is_not_starved_by_the_backlog(line, receiver, ids):
    receiver.answer = lambda *_: (503, {}, b"")
    one = line()
    old = [batch_of(ids) for _ in range(20)]
    for batch in old:
        one.sender.offer(batch)
    wait_for(lambda: len(one.backlog) == 20)

    back, offered = threading.Event(), threading.Event()

    def held(*_):
        if receiver.requests:  # the second: what the first one's answer changed has been seen
            back.set()
            offered.wait(60)
        return 200, {}, b""

    receiver.answer = held
    assert back.wait(60), "the first after the outage"
    live = batch_of(ids)
    one.sender.offer(live)
    offered.set()
    wait_for(lambda: len(receiver.requests) == 21)
    order = [batch for _, batch, _ in receiver.requests]
    assert order.index(live.id) < 15
    order.remove(live.id)
    assert order == [batch.id for batch in old]


def test_a_batch_whose_acknowledgement_was_lost_keeps_its_id(line, receiver, ids):
    answers = iter([0, 0])
    receiver.answer = lambda *_: (next(answers, 200), {}, b"")
    one = line()
    batch = batch_of(ids)
    one.sender.offer(batch)
    wait_for(lambda: len(receiver.requests) >= 3, what="another try")
    assert set(receiver.ids()) == {batch.id}
    wait_for(lambda: one.notices.counts["batches-sent"] == 1, what="the acknowledgement")


def test_retry_after_is_honoured(line, receiver, ids):
    answers = iter([(429, {"Retry-After": "1"}, b"")])
    receiver.answer = lambda *_: next(answers, (200, {}, b""))
    one = line()
    one.sender.offer(batch_of(ids))
    wait_for(lambda: receiver.requests)
    first, second = (moment for moment, _, _ in receiver.attempts)
    assert second - first >= 0.95


@pytest.mark.parametrize("status", [400, 413, 404])
def test_what_is_refused_for_good_is_dropped_and_said_once(line, receiver, ids, status, caplog):
    reason = ExportMetricsPartialSuccess(rejected_data_points=3, error_message="metric without a name")
    body = reason.SerializeToString()  # the bytes of a google.rpc.Status
    answers = iter([(status, {}, body)] * 3)
    receiver.answer = lambda *_: next(answers, (200, {}, b""))
    one = line()
    for _ in range(4):
        one.sender.offer(batch_of(ids))
    wait_for(lambda: receiver.requests)
    assert one.notices.counts["batches-refused"] == 3
    said = [record.message for record in caplog.records if "refused" in record.message]
    assert len(said) == 1
    assert "metric without a name" in said[0]
    assert len(receiver.attempts) == 4


def test_a_batch_that_breaks_the_collector_is_given_up(line, receiver, ids):
    bad = batch_of(ids)
    receiver.answer = lambda _, batch: (500 if batch == bad.id else 200, {}, b"oops")
    one = line()
    one.sender.offer(bad)
    good = batch_of(ids)
    one.sender.offer(good)
    wait_for(lambda: one.notices.counts["batches-refused"], what="the end of its tries")
    wait_for(lambda: good.id in receiver.ids())
    assert len([1 for _, _, batch in receiver.attempts if batch == bad.id]) == 3


def test_a_partial_success_is_said_once_and_not_sent_again(line, receiver, ids, caplog):
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 2
    answer.partial_success.error_message = "too old"
    receiver.answer = lambda *_: (200, {}, answer.SerializeToString())
    one = line()
    for _ in range(3):
        one.sender.offer(batch_of(ids))
    wait_for(lambda: len(receiver.requests) == 3)
    one.sender.close(1)
    said = [record.message for record in caplog.records if "too old" in record.message]
    assert len(said) == 1
    assert "2 of its parts" in said[0]
    assert len(receiver.attempts) == 3


def test_what_an_answer_means():
    def verdict(status, retry_after=""):
        return judge(Kind.METRICS, status, b"\xff\xff", retry_after, 1_000_000.0)

    assert {verdict(status).verdict for status in (200, 202)} == {Verdict.TAKEN}
    assert {verdict(status).verdict for status in (401, 429, 502, 503, 504)} == {Verdict.LATER}
    assert {verdict(status).verdict for status in (301, 400, 404, 413, 501)} == {Verdict.REFUSED}
    assert verdict(500).verdict is Verdict.FAULT
    assert verdict(503, "7").retry_after == 7
    assert verdict(503, "999999").retry_after == 300
    assert verdict(503, "soon").retry_after == 0
    assert verdict(503, "Mon, 12 Jan 1970 13:47:00 GMT").retry_after == 20


# ── The spool ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_spool_gives_up_the_oldest_and_says_so(tmp_path, ids, caplog):
    notices = Notices()
    backlog = Backlog(Spool(tmp_path, 40_960), notices, time.monotonic)
    batches = [batch_of(ids, 3000) for _ in range(25)]
    for batch in batches:
        backlog.add(batch)
    assert len(backlog) == 10
    assert backlog.oldest().id == batches[15].id
    assert notices.counts["batches-lost"] == 15
    assert sum(path.stat().st_size for path in tmp_path.glob("0*")) <= 40_960
    assert len([record for record in caplog.records if "spool is full" in record.message]) == 1
    backlog.close()


def test_the_batch_on_its_way_is_not_given_up(tmp_path, ids):
    backlog = Backlog(Spool(tmp_path, 3 * 4096), Notices(), time.monotonic)
    batches = [batch_of(ids, 3000) for _ in range(4)]
    for batch in batches[:3]:
        backlog.add(batch)
    backlog.add(batches[3], sending=batches[0].id)
    kept = sorted(path.name.partition(".")[0] for path in tmp_path.glob("0*"))
    assert kept == [batches[0].id, batches[2].id, batches[3].id]
    backlog.close()


def test_a_disk_that_takes_no_more_leaves_memory_with_a_bound(tmp_path, ids, monkeypatch, caplog):
    monkeypatch.setattr(backlog_module, "MEMORY_RING_BYTES", 30_000)
    now = [0.0]
    notices = Notices()
    backlog = Backlog(Spool(tmp_path, 1 << 20), notices, lambda: now[0])
    first = batch_of(ids, 100)
    backlog.add(first)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    batches = [batch_of(ids, 9000) for _ in range(5)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        for batch in batches:
            backlog.add(batch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert backlog.in_memory() == 3
    assert notices.counts["batches-lost"] == 2
    assert len([record for record in caplog.records if "can't be written" in record.message]) == 1
    assert [path.name.partition(".")[0] for path in tmp_path.glob("0*")] == [first.id]
    now[0] = 60
    last = batch_of(ids, 9000)
    backlog.add(last)  # the disk is tried again
    order = []
    while (oldest := backlog.oldest()) is not None:
        order.append(oldest.id)
        backlog.remove(oldest)
    assert order == [first.id, *(batch.id for batch in batches[2:]), last.id]
    backlog.close()


def test_what_a_kill_left_half_written_is_removed(tmp_path, ids):
    (tmp_path / ".part-x.metrics").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("somebody's")
    spool = Spool(tmp_path, 1 << 20)
    assert len(spool) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes.txt"]
    spool.close()


def test_a_file_that_vanished_is_counted(tmp_path, ids):
    notices = Notices()
    backlog = Backlog(Spool(tmp_path, 1 << 20), notices, time.monotonic)
    lost, kept = batch_of(ids), batch_of(ids)
    backlog.add(lost)
    backlog.add(kept)
    (tmp_path / f"{lost.id}.metrics").unlink()
    assert backlog.oldest() == kept
    assert notices.counts["batches-lost"] == 1
    backlog.close()


def test_two_sidecars_do_not_share_a_spool(tmp_path):
    first = Spool(tmp_path, 1 << 20)
    with pytest.raises(CannotStart, match="another sidecar uses this spool"):
        Spool(tmp_path, 1 << 20)
    first.close()
    Spool(tmp_path, 1 << 20).close()


def test_offering_never_waits_for_a_collector_that_hangs(line, receiver, ids):
    receiver.answer = receiver.hang
    before = threading.active_count()
    one = line()
    started = time.monotonic()
    for _ in range(100):
        one.sender.offer(batch_of(ids))
    assert time.monotonic() - started < 30  # it hangs for a minute
    assert one.notices.counts["batches-made"] == 100
    assert threading.active_count() < before + 10, "no thread a batch"


# ── The whole sidecar ────────────────────────────────────────────────────────────────────────────────────


def spooled(folder: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in folder.glob("0*")}


def test_kill_9_and_a_restart_lose_nothing_that_was_spooled(sidecar, receiver, tmp_path):
    folder = tmp_path / "spool"
    receiver.answer = lambda *_: (503, {}, b"")
    first = sidecar("--spool", str(folder), "--interval", "0.05")
    wait_for(lambda: len(spooled(folder)) >= 20, what="a backlog")
    first.process.kill()
    first.process.wait()
    kept = spooled(folder)
    receiver.answer = lambda *_: (200, {}, b"")
    second = sidecar("--spool", str(folder), "--log-level", "info")
    wait_for(lambda: kept <= set(receiver.ids()), what="the backlog at the collector")
    assert second.stop() == 0
    assert set(receiver.ids().values()) == {1}
    assert spooled(folder) == set()
    assert second.counts()["batches-sent"] == len(receiver.requests)


def test_an_outage_leaves_no_gap_in_the_series(sidecar, receiver, tmp_path):
    folder = tmp_path / "spool"
    run = sidecar("--spool", str(folder), "--interval", "0.1", "--log-level", "info")
    wait_for(lambda: len(receiver.requests) >= 3)
    receiver.stop()
    wait_for(lambda: len(spooled(folder)) >= 12, what="a spool that grows while nobody takes anything")
    waiting = spooled(folder)
    receiver.start()
    wait_for(lambda: waiting <= receiver.ids().keys(), what="the backlog")
    assert run.stop() == 0
    assert set(receiver.ids().values()) == {1}
    seen = run.counts()
    assert seen["batches-sent"] == seen["batches-made"] == len(receiver.requests)
    # A moment may only be missing where a busy machine made the loop itself late, which it counts.
    *times, _ = (moment for moment, _ in receiver.points(names.PROCESS_COUNT))  # the last is the end's
    allowed = 0.1 * (2 + seen["ticks-skipped"]) + 0.05
    assert max(later - earlier for earlier, later in pairwise(times)) < allowed


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def certificate(tmp_path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    both = tmp_path / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", both, "-out", tmp_path / "c.pem",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_bytes(both.read_bytes() + (tmp_path / "c.pem").read_bytes())
    return both


@pytest.mark.parametrize("trusted", [True, False])
def test_https_needs_a_certificate_that_is_trusted(receiver, ids, certificate, monkeypatch, trusted):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    transport = Transport(Destination(f"https://localhost:{receiver.port}", "secret"))
    outcome = transport.post(batch_of(ids))
    transport.close()
    if trusted:
        assert outcome.verdict is Verdict.TAKEN
        assert receiver.headers[0]["Authorization"] == "Bearer secret"
    else:
        assert outcome.verdict is Verdict.LATER
        assert "certificate" in outcome.reason.lower()
        assert not receiver.attempts


def test_the_account_goes_on_after_a_kill_and_books_what_died_in_memory(tmp_path):
    first = Backlog(Spool(tmp_path, 1 << 20), Notices(), time.monotonic)
    first.account.count("made", 9)
    first.account.count("sent", 4)
    first.account.count("refused")
    kept = batch_of(BatchIds(time.time))
    first.add(kept)
    first.close()  # as if killed: three were in memory alone
    second = Backlog(Spool(tmp_path, 1 << 20), Notices(), time.monotonic)
    second.account.count("sent")
    second.remove(kept)
    second.close()
    assert settle(tmp_path) == Settled(made=9, sent=5, refused=1, lost=3, left=0)


def test_an_account_that_is_damaged_begins_anew(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff" * 12)
    assert settle(tmp_path) is None
    again = Backlog(Spool(tmp_path, 1 << 20), Notices(), time.monotonic)
    again.account.count("made")
    again.account.count("lost")
    again.close()
    assert settle(tmp_path) == Settled(made=1, sent=0, refused=0, lost=1, left=0)


@pytest.mark.parametrize("harm", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\x00" + b[1:]])
def test_a_damaged_file_of_the_spool_is_lost_and_not_sent(tmp_path, harm):
    notices = Notices()
    spool = Spool(tmp_path, 1 << 20)
    backlog = Backlog(spool, notices, time.monotonic)
    ids = BatchIds(time.time)
    first, second = batch_of(ids), batch_of(ids)
    backlog.add(first)
    backlog.add(second)
    file = tmp_path / f"{first.id}.metrics"
    file.write_bytes(harm(file.read_bytes()))
    assert backlog.oldest() == second
    assert notices.counts["batches-lost"] == 1
    assert not file.exists()
    backlog.close()
