"""A server with its workers forked from a loaded parent, watched the whole way: what they share counts once."""

import http.client
import json
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Finished, Run, free_port

from memwarden_api import names
from memwarden_core.recording import Recording, SeriesKey
from memwarden_core.recording_file import read_recording

TESTS = ROOT / "probes" / "python" / "tests"
sys.path.append(str(TESTS))
from server_environment import python_with  # noqa: E402

SECONDS = 8
LEAKS = 120  # of each worker: 2.4 MB, which no sampling at 64 KiB misses
LOADED_BYTES = 1200 * 100_000
LOADING = 'LOADED = [b"x" * 100_000 for _ in range(1200)]'
APP = f"from service import application\n{LOADING}\n"


def ask(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, dict[int, int], Recording]:
    """The run, the parent of each worker that served, and what was recorded."""
    folder = tmp_path_factory.mktemp("workers")
    code = shutil.copytree(TESTS / "servers", folder / "code")
    (code / "loaded.py").write_text(APP)
    port = free_port()
    python = python_with("servers", f"{sys.version_info.major}.{sys.version_info.minor}")
    server = [python, "-m", "gunicorn", "--workers", "2", "--preload", "--bind", f"127.0.0.1:{port}"]
    options = ["--interval", "500ms", "--sampling", "64KiB", "--quiet", "--keep", str(folder / "kept")]
    run = Run(folder / "run", options, [*server, "--log-level", "warning", "loaded:application"], cwd=code)
    patience = time.monotonic() + 240
    try:
        workers: dict[int, int] = {}
        leaked: dict[int, int] = {}
        begun = None  # when both had served
        while not run.has_ended() and time.monotonic() < patience:
            with suppress(OSError, http.client.HTTPException):
                ask(port, "/leak")
                who = ask(port, "/who")
                workers[who["pid"]], leaked[who["pid"]] = who["parent"], who["leaked"]
            if len(workers) == 2:
                begun = begun or time.monotonic()
                if time.monotonic() > begun + SECONDS and min(leaked.values()) >= LEAKS:
                    break
            time.sleep(0.02)
        run.interrupt()
        finished = run.wait(timeout=240)
        with (folder / "kept").open("rb") as kept:
            return finished, workers, read_recording(kept)
    finally:
        run.end()


def sites_at(run: Finished, file: str, line: int) -> list[dict[str, Any]]:
    """Return the sites of one line; a sample may fall on any other line of that file too, such as its imports."""
    return [site for site in run.verdict["sites"] if Path(site["file"]).name == file and site["line"] == line]


def line_of(file: Path, text: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), start=1) if text in line)


def test_every_worker_is_known_with_its_parent(watched: tuple[Finished, dict[int, int], Recording]) -> None:
    run, workers, _ = watched
    assert run.exit_code == 0, run.stderr
    seen = {process["pid"]: process for process in run.verdict["processes"]}
    assert len(workers) == 2
    for pid, parent in workers.items():
        assert (seen[pid]["probe"], seen[pid]["parent_pid"]) == ("hooked", parent)
        assert seen[parent]["probe"] == "hooked"


def test_what_was_loaded_before_the_fork_counts_once(
    watched: tuple[Finished, dict[int, int], Recording],
) -> None:
    run, workers, recording = watched
    most = max(recording.series[SeriesKey(names.MEMORY_ANON)].value)
    assert LOADED_BYTES < most < 2 * LOADED_BYTES  # three times, if each process counted
    (parent,) = set(workers.values())
    (loaded,) = sites_at(run, "loaded.py", APP.splitlines().index(LOADING) + 1)
    assert loaded["pid"] == parent
    assert loaded["live_bytes"] == pytest.approx(LOADED_BYTES, rel=0.25)


def test_the_leak_has_its_line(watched: tuple[Finished, dict[int, int], Recording]) -> None:
    run, workers, _ = watched
    line = line_of(TESTS / "servers" / "service.py", "# the leak")
    (leak,) = sites_at(run, "service.py", line)
    assert leak["pid"] in workers
