"""Which processes are watched, and what they use: real trees of processes, read from /proc."""

import os
import sys
import time
from pathlib import Path

import pytest

from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.sources.anonymous_memory import AnonymousMemory, Measured
from memwarden_sidecar.sources.cpu_time import CpuTime
from memwarden_sidecar.sources.proc_files import ProcessKey, ProcFolder, Proportional, Stat
from memwarden_sidecar.sources.process_tree import ProcessTree
from memwarden_sidecar.sources.runtime import Runtime, embedded, guess, outside_reason

PROC = ProcFolder()
MIB = 1 << 20

DAEMON = """
import os, time
if os.fork() == 0:
    daemon = os.fork()
    if daemon == 0:
        os.setsid()
        print(os.getpid(), flush=True)
        time.sleep(60)
    os.read(0, 1)              # until it was seen as a grandchild
    os._exit(0)
os.wait()
print("parent gone", flush=True)
input()
"""


def pids_of(tree: ProcessTree) -> set[int]:
    return {key.pid for key in tree.look()}


def test_a_daemon_stays_watched_after_its_parent_has_ended(app):
    root = app(DAEMON)
    tree = ProcessTree(PROC)
    assert tree.follow_root(root.pid)
    daemon = int(root.line())
    try:
        assert daemon in pids_of(tree)
        root.go_on()
        assert root.line() == "parent gone"
        assert PROC.stat(daemon).parent_pid != root.pid
        assert pids_of(tree) == {root.pid, daemon}
        root.end()
        assert pids_of(tree) == {daemon}
    finally:
        os.kill(daemon, 9)


def test_an_orphan_that_was_never_seen_with_its_parent_is_found_by_the_group_of_the_root(app):
    code = """
import os, time
os.setpgid(0, 0)
if os.fork() == 0:
    orphan = os.fork()
    if orphan == 0:
        time.sleep(60)
    print(orphan, flush=True)
    os._exit(0)
os.wait()
print("ready", flush=True)
input()
"""
    root = app(code)
    orphan = int(root.line())
    root.line()
    try:
        tree = ProcessTree(PROC)
        tree.follow_root(root.pid)
        assert pids_of(tree) == {root.pid, orphan}
    finally:
        os.kill(orphan, 9)


def test_processes_of_others_are_not_watched_until_their_probe_connects(app):
    root, other = app("input()"), app("input()")
    tree = ProcessTree(PROC)
    tree.follow_root(root.pid)
    assert pids_of(tree) == {root.pid}
    tree.follow([other.pid])
    assert pids_of(tree) == {root.pid, other.pid}


def test_children_that_come_between_two_looks_are_found(app):
    code = """
import subprocess, sys
input()
for _ in range(3):
    subprocess.Popen([sys.executable, "-c", "input()"])
print("up", flush=True)
input()
"""
    root = app(code)
    tree = ProcessTree(PROC)
    tree.follow_root(root.pid)
    assert pids_of(tree) == {root.pid}
    root.go_on()
    root.line()
    assert len(pids_of(tree)) == 4


def test_a_root_that_is_not_there_is_said():
    assert not ProcessTree(PROC).follow_root(2**22 + 5)


# ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────

WORKERS = """
import os, time
shared = bytearray(os.urandom(1)) * (60 << 20)
print("parent", flush=True)
input()
for number in range(4):
    if os.fork() == 0:
        own = bytearray(b"x") * (5 << 20)
        print("worker", flush=True)
        time.sleep(60)
print("forked", flush=True)
input()
"""


def measure(memory: AnonymousMemory, tree: ProcessTree) -> int:
    living = [key for key, stat in tree.look().items() if not stat.ended]
    root = living[0]
    measured = [Measured(k, PROC.resident(k.pid).anon, None if k == root else root) for k in living]
    return sum(memory.measure(measured).values())


def test_forked_workers_count_once(app):
    root = app(WORKERS)
    root.line()
    tree = ProcessTree(PROC)
    tree.follow_root(root.pid)
    memory = AnonymousMemory(PROC.proportional, time.thread_time, time.monotonic)
    alone = measure(memory, tree)
    root.go_on()
    for _ in range(5):
        root.line()
    together = measure(memory, tree)
    plain_sum = sum(PROC.resident(key.pid).anon for key in tree.look())
    assert plain_sum > 5 * 60 * MIB
    assert together == pytest.approx(alone + 4 * 5 * MIB, rel=0.10)


def key(pid: int) -> ProcessKey:
    return ProcessKey(pid, pid)


class Pages:
    """smaps_rollup by hand: (proportional, private) bytes by process id, and what a reading costs."""

    def __init__(self, **by_pid: tuple[int, int]) -> None:
        self.by_pid = {int(name[1:]): value for name, value in by_pid.items()}
        self.readings = 0
        self.cost = 0.001
        self.now = 0.0
        self.cpu = 0.0

    def read(self, pid: int) -> Proportional:
        self.readings += 1
        self.cpu += self.cost
        if pid not in self.by_pid:
            raise Unreadable("no", denied=True)
        return Proportional(*self.by_pid[pid])

    def memory(self) -> AnonymousMemory:
        return AnonymousMemory(self.read, lambda: self.cpu, lambda: self.now)


def test_between_readings_growth_is_private_and_ended_workers_leave_shared_pages_behind():
    pages = Pages(p1=(40 * MIB, 0), p2=(50 * MIB, 10 * MIB))
    memory = pages.memory()
    first = [Measured(key(1), 80 * MIB, None), Measured(key(2), 90 * MIB, key(1))]
    assert memory.measure(first) == {key(1): 40 * MIB, key(2): 50 * MIB}
    pages.now = 5
    grown = [Measured(key(1), 80 * MIB, None), Measured(key(2), 97 * MIB, key(1))]
    assert memory.measure(grown)[key(2)] == 57 * MIB
    forked = [*grown, Measured(key(3), 83 * MIB, key(1))]
    assert memory.measure(forked)[key(3)] == 3 * MIB
    assert pages.readings == 2
    left = [Measured(key(1), 80 * MIB, None), Measured(key(3), 83 * MIB, key(1))]
    assert memory.measure(left) == {key(1): 80 * MIB, key(3): 3 * MIB}


def test_a_fork_while_it_is_read_is_put_right_a_second_after_the_new_process_is_seen():
    pages = Pages(p1=(60 * MIB, 0), p2=(40 * MIB, 0))  # the third was forked between the two readings
    memory = pages.memory()
    two = [Measured(key(1), 120 * MIB, None), Measured(key(2), 120 * MIB, key(1))]
    assert sum(memory.measure(two).values()) == 100 * MIB
    pages.by_pid = dict.fromkeys((1, 2, 3), (40 * MIB, 0))
    three = [*two, Measured(key(3), 120 * MIB, key(1))]
    moments = []
    for tenth in range(1, 100):
        pages.now = tenth / 10
        before = pages.readings
        together = sum(memory.measure(three).values())
        if pages.readings > before:
            moments.append(pages.now)
    assert moments == [1.1]
    assert together == 120 * MIB


def test_a_new_program_counts_in_full_at_once():
    pages = Pages(p1=(10, 10), p2=(10, 10))
    memory = pages.memory()
    memory.measure([Measured(key(1), 10, None), Measured(key(2), 10, None)])
    pages.now = 1
    processes = [Measured(key(1), 10, None), Measured(key(2), 10, None), Measured(key(3), 70, None)]
    assert memory.measure(processes)[key(3)] == 70


def test_readings_keep_their_distance_and_their_budget():
    pages = Pages(p1=(10, 10), p2=(10, 10))
    memory = pages.memory()
    two = [Measured(key(1), 10, None), Measured(key(2), 10, None)]
    moments = []
    pages.cost = 0.25  # two processes: half a second, which is 0.5 % of 100 s
    for second in range(230):
        pages.now = float(second)
        before = pages.readings
        memory.measure(two)
        if pages.readings > before:
            moments.append(second)
    assert moments == [0, 100, 200]


def test_a_single_process_is_never_read():
    pages = Pages()
    assert pages.memory().measure([Measured(key(1), 123, None)]) == {key(1): 123}
    assert pages.readings == 0


def test_what_may_not_be_read_is_named_and_its_resident_size_stands_in():
    pages = Pages(p1=(10, 10))
    memory = pages.memory()
    shares = memory.measure([Measured(key(1), 20, None), Measured(key(2), 30, None)])
    assert shares == {key(1): 10, key(2): 30}
    assert memory.denied == (2,)


# ── CPU ──────────────────────────────────────────────────────────────────────────────────────────────────


def stat(pid: int, parent: int, cpu: float, reaped: float = 0.0) -> Stat:
    return Stat(key(pid), parent, 1, 1, False, cpu, reaped, 1)


def total(cpu: CpuTime, *stats: Stat) -> float:
    return cpu.update({one.key: one for one in stats})


def test_a_reaped_child_counts_once():
    cpu = CpuTime()
    assert total(cpu, stat(1, 0, 1.0), stat(2, 1, 5.0)) == 6.0
    assert total(cpu, stat(1, 0, 1.0, reaped=5.5)) == 6.5


def test_a_child_that_is_reaped_after_its_parent_was_read_counts_once():
    cpu = CpuTime()
    total(cpu, stat(1, 0, 1.0), stat(2, 1, 5.0))
    assert total(cpu, stat(1, 0, 1.0)) == 6.0
    assert total(cpu, stat(1, 0, 1.0, reaped=5.0)) == 6.0
    assert total(cpu, stat(1, 0, 2.0, reaped=5.0)) == 7.0


def test_processes_that_nobody_of_ours_waits_for_stay_counted():
    cpu = CpuTime()
    total(cpu, stat(1, 0, 1.0), stat(2, 999, 4.0))
    assert total(cpu, stat(1, 0, 1.5)) == 5.5
    assert total(cpu) == 5.5


def test_cpu_time_of_a_real_tree(app):
    code = """
import subprocess, sys, os
burn = "import time\\nwhile time.process_time() < 0.3: pass"
for _ in range(2):
    subprocess.run([sys.executable, "-c", burn])
print("done", flush=True)
input()
"""
    root = app(code)
    tree, cpu = ProcessTree(PROC), CpuTime()
    tree.follow_root(root.pid)
    deadline = time.monotonic() + 120
    os.set_blocking(root.process.stdout.fileno(), False)
    while not root.process.stdout.read(100) and time.monotonic() < deadline:
        cpu.update(tree.look())
        time.sleep(0.02)
    known = PROC.stat(root.pid)
    assert cpu.update(tree.look()) == pytest.approx(known.cpu_seconds + known.reaped_cpu_seconds, abs=0.06)


# ── Files of one process ─────────────────────────────────────────────────────────────────────────────────


def test_own_files():
    here = os.getpid()
    own = PROC.stat(here)
    assert own.parent_pid == os.getppid()
    assert own.key.pid == here
    assert not own.ended
    assert PROC.fd_count(here) == pytest.approx(len(os.listdir("/proc/self/fd")), abs=2)
    assert PROC.executable(here) == os.path.realpath("/proc/self/exe")
    assert Path("/proc/self/cmdline").read_bytes().partition(b"\0")[0].decode() in PROC.command_line(here)
    assert PROC.resident(here).rss >= PROC.resident(here).anon > MIB


def test_a_command_line_is_cut_and_its_name_may_hold_brackets(tmp_path):
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "cmdline").write_bytes(b"python\0" + b"x" * 100_000)
    line = "5 (a) (b)) S 1 5 5 0 -1 4194304 1 2 3 4 150 50 25 75 20 0 3 0 12345 1 1\n"
    (tmp_path / "5" / "stat").write_text(line)
    proc = ProcFolder(tmp_path)
    assert len(proc.command_line(5)) <= 1024
    found = proc.stat(5)
    assert (found.key, found.parent_pid, found.threads) == (ProcessKey(5, 12345), 1, 3)
    assert (found.cpu_seconds, found.reaped_cpu_seconds) == (2.0, 1.0)


def test_proportional_sizes_before_linux_5_4(tmp_path):
    (tmp_path / "5").mkdir()
    text = "Rss: 1000 kB\nPss: 500 kB\nAnonymous: 600 kB\nPrivate_Dirty: 100 kB\n"
    (tmp_path / "5" / "smaps_rollup").write_text("0-1 ---p 0 00:00 0 [rollup]\n" + text)
    found = ProcFolder(tmp_path).proportional(5)
    assert (found.anon, found.private) == (300 << 10, 100 << 10)


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        ("/usr/bin/python3.9", "cpython", "3.9"),
        ("/usr/bin/python3", "cpython", "3"),
        ("/opt/pypy3.10/bin/pypy3.10", "pypy", "3.10"),
        ("/usr/bin/node", "nodejs", ""),
        ("/usr/lib/jvm/bin/java", "java", ""),
        ("/bin/bash", "", ""),
        ("/usr/bin/pythonista", "", ""),
        ("", "", ""),
    ],
)
def test_the_runtime_is_guessed_from_the_program(path, name, version):
    assert guess(path) == (name, version)


def test_no_environment_is_read():
    sources = Path(__file__).parents[1] / "src"
    assert not [path for path in sources.rglob("*.py") if "/environ" in path.read_text()]


@pytest.mark.parametrize(
    ("command_line", "said"),
    [
        ("python -I app.py", "started with -I"),
        ("python3.11 -u -bE app.py -S", "started with -E"),
        ("/usr/bin/python3 -W error -S", "started with -S"),
        ("python -Werror -X dev -sI -m app", "started with -I"),
        ("python app.py -I", "has not reported"),
        ("python -c pass -S", "has not reported"),
        ("python -m app -E", "has not reported"),
        ("python -mIES", "has not reported"),
        ("python -X -I app.py", "has not reported"),
        ("python", "has not reported"),
        ("", "has not reported"),
    ],
)
def test_an_option_that_keeps_the_probe_out_is_named(command_line, said):
    assert said in outside_reason(Runtime("cpython", ""), "/usr/bin/python3.11", command_line)


def test_a_python_inside_another_program_is_recognised():
    maps = "7f00-7f10 r-xp 0 08:01 12 /tmp/_MEI12/libpython3.12.so.1.0\n"
    assert embedded(maps) == Runtime("cpython", "3.12")
    assert embedded("7f00-7f10 r-xp 0 08:01 12 /usr/lib/libpythonish.txt\n") == Runtime("", "")
    assert "of its own inside" in outside_reason(embedded(maps), "/srv/app", "/srv/app -I")


def test_all_of_a_long_memory_map_is_read(tmp_path):
    lines = [f"{n:x}-{n + 1:x} r-xp 0 08:01 12 /lib/{n}.so" for n in range(2000)]
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "maps").write_text("\n".join(lines))
    assert ProcFolder(tmp_path).maps(7).splitlines() == lines
    assert str(os.path.realpath(sys.executable)) in ProcFolder().maps(os.getpid())
