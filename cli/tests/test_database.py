"""The temporary database: real initdb and postgres."""

import os
import pwd
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from memwarden.database import binaries, server, template
from memwarden.errors import Failed
from memwarden.supervise import confinement
from memwarden.supervise.confinement import How, Identity


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of a run with a folder for the server: 0700, its path short."""
    parent = Path(tempfile.mkdtemp(prefix="mwd"))
    (parent / "database").mkdir(mode=0o700)
    yield parent / "database"
    shutil.rmtree(parent)


@pytest.fixture(autouse=True)
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMWARDEN_CACHE", str(cache))
    return cache


def test_it_starts_from_the_template_takes_data_and_stops(
    folder: Path, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start(folder).stop()  # the template is there now
    shutil.rmtree(folder / "data")

    def initdb_again(*_: object) -> None:
        raise AssertionError("a start with a template runs initdb")

    monkeypatch.setattr(template, "initialise", initdb_again)
    started = server.start(folder)
    with psycopg.connect(started.url) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)
    started.stop()
    assert started.child.exit_code() == 0, "a fast shutdown; SIGQUIT and SIGKILL end it otherwise"
    assert not [path for path in (cached / "postgresql").iterdir() if path.name.startswith(".")]


def test_it_is_reached_by_its_socket_alone(folder: Path) -> None:
    started = server.start(folder)
    try:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        listening = Path(f"/proc/{started.child.pid}/net/tcp").read_text()
        assert ":1538 " not in listening.split("\n", 1)[1].replace("0A", "")  # 5432 in hexadecimal
        with psycopg.connect(started.url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    finally:
        started.stop()


def test_after_kill_nothing_of_it_lives(folder: Path) -> None:
    started = server.start(folder)
    group = [started.child.pid, *_children(started.child.pid)]
    assert len(group) > 1
    os.kill(started.child.pid, signal.SIGKILL)
    assert started.child.wait(60)
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in group):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    started.stop()  # of something that is dead already
    with pytest.raises(Failed):
        started.is_ready()


def test_several_first_starts_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, tempfile, pathlib\n"
        "from memwarden.database import server\n"
        "folder = pathlib.Path(tempfile.mkdtemp(prefix='mwd'))\n"
        "started = server.start(folder); started.stop()\n"
        "import shutil; shutil.rmtree(folder)\n"
    )
    environment = os.environ | {"MEMWARDEN_CACHE": str(tmp_path / "new")}
    starting = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in starting:
        _, errors = process.communicate(timeout=240)
        assert (process.returncode, errors) == (0, b"")
    assert len(list((tmp_path / "new" / "postgresql").iterdir())) == 1


def test_a_damaged_template_is_made_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMWARDEN_CACHE", str(tmp_path / "c"))
    server.start(folder).stop()
    shutil.rmtree(folder / "data")
    [made] = (tmp_path / "c" / "postgresql").iterdir()
    shutil.rmtree(made / "global")
    server.start(folder).stop()
    assert (made / "global").is_dir()


def test_without_a_place_for_the_cache_it_still_starts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMWARDEN_CACHE", str(tmp_path / "file" / "cache"))
    server.start(folder).stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another identity")
def test_as_root_no_user_is_added_and_no_folder_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = Path(tempfile.mkdtemp(prefix="mwd"))  # 0700
    watched = [private, *private.parents, binaries.locate().root, *binaries.locate().root.parents]
    before = [path.stat().st_mode for path in watched], Path("/etc/passwd").read_bytes()
    monkeypatch.setenv("MEMWARDEN_CACHE", str(private / "cache"))
    folder = private / "database"
    folder.mkdir(mode=0o700)
    started = server.start(folder)
    started.stop()
    assert started.child.spec.identity.how is How.NAMESPACE
    assert ([path.stat().st_mode for path in watched], Path("/etc/passwd").read_bytes()) == before
    assert {path.stat().st_uid for path in (folder / "data").rglob("*")} == {0}
    shutil.rmtree(private)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_where_user_namespaces_are_refused_it_runs_under_another_user_id(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = pwd.getpwnam("nobody")
    dropped = Identity(How.DROPPED, nobody.pw_uid, nobody.pw_gid)
    monkeypatch.setattr(server, "server_identity", lambda: dropped)
    place = Path(tempfile.mkdtemp(prefix="mwd"))
    place.chmod(0o755)
    monkeypatch.setattr(binaries, "SHARED_PLACE", place / "shared")
    monkeypatch.setattr(binaries, "_open_to_all", lambda root: False)
    started = server.start(folder)
    try:
        assert Path(f"/proc/{started.child.pid}").stat().st_uid == nobody.pw_uid
        with psycopg.connect(started.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        started.stop()
        shutil.rmtree(place)


def test_where_nobody_may_run_it_the_way_out_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "server_identity", lambda: None)
    with pytest.raises(Failed, match="--database-url"):
        server.launch(folder)


def test_without_the_package_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "PACKAGE", "no_such_package")
    with pytest.raises(Failed, match="--database-url"):
        binaries.locate()


def test_no_space_is_said_as_such(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWARDEN_CACHE", str(tmp_path / "c"))

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    monkeypatch.setattr(confinement, "_limits", small_files)
    with pytest.raises(Failed, match="no space"):
        server.start(folder)
    assert list((tmp_path / "c" / "postgresql").iterdir()) == []


def test_the_message_never_says_nothing() -> None:
    assert "it said nothing" in template.explain("initdb", "", Path("/tmp"))
    assert "FATAL: bad" in template.explain("postgres", "LOG: x\nFATAL: bad\n", Path("/tmp"))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
