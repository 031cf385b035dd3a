"""Files and folders of ours that somebody damages or removes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from faults.watched_run import PATIENCE, WatchedRun, assert_each_once, command_line, wait_for
from harness import free_port

from memwarden.database import server
from memwarden_sidecar.export.account import settle

Start = Callable[..., WatchedRun]
APP = (
    "import time\nkept = []\nwhile True:\n    kept.append([str(n) for n in range(300)])\n    time.sleep(0.01)"
)


@pytest.fixture
def database() -> Iterator[server.Server]:
    parent = Path(tempfile.mkdtemp(prefix="mwf"))
    (parent / "d").mkdir()
    started = server.start(parent / "d")
    yield started
    started.stop()
    shutil.rmtree(parent)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def module(name: str, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-P", "-m", name, *options], stdin=subprocess.DEVNULL)


def batch_of(file: Path) -> str:
    """The id in a file's name, as the ledger has it."""
    return file.name.partition(".")[0].replace("-", "")


def damage(file: Path, kind: int) -> None:
    body = bytearray(file.read_bytes())
    if kind == 0:
        body[len(body) // 2] ^= 0xFF
    elif kind == 1:
        del body[len(body) // 2 :]
    elif kind == 2:
        body[:] = b""
    else:
        body[:10] = os.urandom(10)
    file.write_bytes(body)


def test_a_damaged_spool(
    tmp_path: Path, database: server.Server, processes: list[subprocess.Popen[bytes]]
) -> None:
    port, spool, ready = free_port(), tmp_path / "spool", tmp_path / "ready"
    app = subprocess.Popen([sys.executable, "-c", APP])
    processes.append(app)
    options = (
        "--scope-id", "damaged", "--socket", str(tmp_path / "s"), "--collector", f"http://127.0.0.1:{port}",
        "--interval", "0.1", "--spool", str(spool), "--ready-file", str(ready), "--pid", str(app.pid),
        "--log-level", "error",
    )  # fmt: skip

    def waiting() -> list[Path]:
        return sorted(file for file in spool.glob("*") if not file.name.startswith("."))

    first = module("memwarden_sidecar", *options)
    processes.append(first)
    wait_for(lambda: len(waiting()) >= 12, "a spool with something in it")
    first.kill()
    first.wait()
    files = waiting()
    damaged = files[1:9:2]
    for kind, file in enumerate(damaged):
        damage(file, kind)
    (spool / "notes.txt").write_text("not ours")
    processes.append(
        module(
            "memwarden_collector",
            *("--listen", f"127.0.0.1:{port}", "--grpc-listen", "off", "--database-url", database.url),
        )
    )
    ready.unlink()
    second = module("memwarden_sidecar", *options)
    processes.append(second)
    wait_for(lambda: ready.exists() and not set(files) & set(waiting()), "an empty spool")
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE) == 0
    (spool / "notes.txt").unlink()
    seen = settle(spool)
    assert seen is not None
    assert seen.made == seen.sent + seen.refused + seen.lost + seen.left
    assert seen.refused == 0, "damage is seen before anything is sent"
    assert seen.lost >= len(damaged)
    with psycopg.connect(database.url) as connection:
        stored = {row[0].hex() for row in connection.execute("select batch_id from memwarden.ingest_batch")}
        counted = connection.execute("select count(*) from memwarden.ingest_batch").fetchone()
    whole = {batch_of(file) for file in files if file not in damaged}
    assert whole <= stored
    assert not stored & {batch_of(file) for file in damaged}
    assert counted is not None
    assert counted[0] == len(stored)
    assert seen.sent <= len(stored) <= seen.sent + 1, (
        "one may have been on its way when the sidecar had to end"
    )


def test_the_socket_and_its_folder_are_removed(watched: Start) -> None:
    run = watched()
    run.await_app()
    time.sleep(1.5)
    words = command_line(run.pid_of("sidecar")).split()
    door = Path(words[words.index("--socket") + 1]).parent
    shutil.rmtree(door)
    time.sleep(1.5)
    finished = run.finish()
    finished.assert_undisturbed()
    finished.assert_accounted_for()
    assert finished.report.faults == ()
    assert [process.probe for process in finished.report.verdicts[0].processes] == ["hooked"]


def test_the_spool_is_removed_while_the_collector_is_away(watched: Start) -> None:
    run = watched()
    run.await_app()
    time.sleep(1)
    shutil.rmtree(run.folder() / "spool")
    run.await_another("collector", run.hurt("collector"))
    time.sleep(1.5)
    finished = run.finish()
    finished.assert_undisturbed()
    assert_each_once(run.keep)
    assert finished.report.verdicts[0].processes
