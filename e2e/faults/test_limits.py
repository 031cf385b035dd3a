"""Too little memory, too few processes, too little disk; many threads, many children."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults.control_groups import control_group, is_version_1
from faults.watched_run import WatchedRun, assert_each_once, wait_for

Start = Callable[..., WatchedRun]
MIB = 1 << 20

GREEDY = """
import time
print("up", flush=True)
kept = []
while True:
    kept.append(bytearray(b"x") * (2 << 20))
    time.sleep(0.05)
"""


@pytest.mark.system
def test_an_app_that_dies_for_want_of_memory(watched: Start) -> None:
    limit = {"limit_in_bytes": str(700 * MIB)} if is_version_1("memory") else {"max": str(700 * MIB)}
    with control_group("memory", **limit) as inside:
        run = watched([sys.executable, "-c", GREEDY], before=inside)
        run.await_app()
        finished = run.finish()
    assert (finished.code, finished.report.app_exit_code) == (137, -9)
    died = finished.report.notes[0]
    assert died.startswith(
        "The command was killed by the kernel for want of memory: the limit of its cgroup, 734 MB"
    )
    assert "The last sample, " in died
    (verdict,) = finished.report.verdicts
    assert verdict.anon_bytes is not None
    assert verdict.anon_bytes > 100 * MIB, "the last evidence is there"
    assert verdict.sites[0].growth_share > 0.5
    finished.assert_accounted_for()


def test_an_app_that_somebody_kills(watched: Start) -> None:
    code = "import os, time; print('up', flush=True); time.sleep(1); os.kill(os.getpid(), 9)"
    run = watched([sys.executable, "-c", code])
    run.await_app()
    finished = run.finish()
    assert (finished.code, finished.report.app_exit_code) == (137, -9)
    assert finished.report.notes[0].startswith("The command was killed (SIGKILL), and not by the kernel")


THREADS = """
import sys, threading
print("up", flush=True)
gate, kept = threading.Barrier(501), []
def work(number):
    gate.wait()
    for n in range(200):
        kept.append([str(number * n) for n in range(20)])
threads = [threading.Thread(target=work, args=(number,)) for number in range(500)]
for thread in threads: thread.start()
gate.wait()
for thread in threads: thread.join()
print(len(kept), threading.active_count(), flush=True)
"""


def test_five_hundred_threads(watched: Start) -> None:
    run = watched([sys.executable, "-c", THREADS], options=("--sampling", "16KiB"))
    run.await_app()
    finished = run.finish()
    assert (finished.out, finished.code) == ("100000 1\n", 0), finished.err
    finished.assert_accounted_for()


CHILDREN = """
import os, subprocess, sys
print("up", flush=True)
codes = {}
for n in range(int(sys.argv[1])):
    if n % 100 == 0:
        code = subprocess.run([sys.executable, "-S", "-c", "pass"]).returncode
    else:
        child = os.fork()
        if child == 0:
            [str(k) for k in range(50)]
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    codes[code] = codes.get(code, 0) + 1
print(codes, len(os.listdir("/proc/self/fd")), flush=True)
"""


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(300, id="300"),
        pytest.param(10_000, id="10000", marks=[pytest.mark.nightly, pytest.mark.timeout(1800)]),
    ],
)
def test_children_that_live_for_a_moment(watched: Start, count: int) -> None:
    command = [sys.executable, "-c", CHILDREN, str(count)]
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    run = watched(command)
    run.await_app()
    finished = run.finish(1500)
    descriptors = int(plain.stdout.split()[-1])
    assert finished.out == f"{{0: {count}}} {descriptors + 1}\n", finished.err  # one more: the probe's socket
    assert finished.code == 0
    assert finished.report.faults == ()
    finished.assert_accounted_for()


MANY = """
import os, signal, time
print("up", flush=True)
kept, refused = [], 0
for n in range(1000):
    try:
        child = os.fork()
    except BlockingIOError:
        refused += 1
        continue
    if child == 0:
        mine = [str(k) for k in range(1000)]
        signal.pause()
    kept.append(child)
time.sleep(4)
for child in kept:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(len(kept) + refused, refused > 0, flush=True)
"""


@pytest.mark.system
@pytest.mark.slow
def test_a_thousand_processes_against_a_limit_of_processes(watched: Start) -> None:
    with control_group("pids", max="400") as inside:
        run = watched([sys.executable, "-c", MANY], before=inside)
        run.await_app()
        time.sleep(2)
        pid = run.hurt("collector")  # and there is no room to start it again, for a while
        run.await_another("collector", pid)
        finished = run.finish()
    assert (finished.out, finished.code) == ("1000 True\n", 0), finished.err
    assert finished.faults("collector")[0].started_again
    finished.assert_accounted_for()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "memwarden-test", str(disk)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield disk
    wait_for(
        lambda: subprocess.run(["umount", str(disk)], capture_output=True).returncode == 0, "an unused disk"
    )


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("room_comes_back", [True, False])
def test_a_full_disk(watched: Start, small_disk: Path, room_comes_back: bool) -> None:
    run = watched(variables={"TMPDIR": str(small_disk)})
    run.await_app()
    time.sleep(2)
    fat = small_disk / "fat"
    with fat.open("wb", buffering=0) as filler:
        while True:
            try:
                filler.write(b"\0" * 65536)
            except OSError:
                break
    time.sleep(6)
    if room_comes_back:
        fat.unlink()
        time.sleep(4)
    finished = run.finish()
    fat.unlink(missing_ok=True)
    finished.assert_undisturbed()
    if room_comes_back:
        finished.assert_accounted_for()
        assert_each_once(run.keep)
        assert finished.report.verdicts[0].processes
    else:
        assert finished.report.delivery is not None
