"""The sidecar as a process: starting, being told, ending in time, and what it costs."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from waiting import wait_for

import memwarden_sidecar
from memwarden_api import names
from memwarden_sidecar import settings as settings_module
from memwarden_sidecar.__main__ import main

# ── What it says of a scope ──────────────────────────────────────────────────────────────────────────────


def test_a_tree_without_a_probe_is_watched_from_outside(sidecar, receiver, app):
    root = app("import os; block = bytearray(os.urandom(1)) * (30 << 20); print('up', flush=True); input()")
    root.line()
    run = sidecar("--memory-limit", "2g", "--sensitivity", "high")
    run.tell(f'{{"pid": {root.pid}}}')
    wait_for(lambda: receiver.last(names.MEMORY_LIMIT))
    assert receiver.last(names.MEMORY_LIMIT) == 2 << 30
    assert receiver.last(names.PROCESS_COUNT) == 1
    assert receiver.last(names.MEMORY_ANON) == receiver.last(names.PROCESS_MEMORY_ANON, root.pid) > 30 << 20
    assert receiver.last(names.PROCESS_MEMORY_USAGE, root.pid) > receiver.last(names.MEMORY_ANON)
    assert receiver.last(names.MEMORY_AVAILABLE) > 0
    assert receiver.last(names.CPU_TIME) > 0
    assert receiver.last(names.PROCESS_THREAD_COUNT, root.pid) == 1
    assert receiver.last(names.PROCESS_FD_COUNT, root.pid) >= 3
    process = receiver.processes()[root.pid]
    assert process[names.SCOPE_ID] == "scope"
    assert process[names.SCOPE_KIND] == names.SCOPE_KIND_RUN
    assert process[names.DETECTION_SENSITIVITY] == "high"
    assert process[names.SAMPLE_INTERVAL] == 0.2
    assert process[names.SERVICE_NAME] == "app.py"
    assert process[names.PROCESS_PARENT_PID] == os.getpid()
    assert process[names.PROCESS_EXECUTABLE_PATH] == os.path.realpath(sys.executable)
    assert process[names.PROCESS_RUNTIME_NAME] == "cpython"
    assert process[names.PROBE_STATE] == names.PROBE_STATE_OUTSIDE
    assert "has not reported" in process[names.PROBE_REASON]
    assert process[names.PROCESS_CREATION_TIME] == pytest.approx(time.time(), abs=60)


def test_every_name_that_is_sent_is_a_public_one(sidecar, receiver, app, probe_env):
    public = {value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)}
    run = sidecar()
    one = app(
        "import time\nwhile True: [str(i) for i in range(1000)]; time.sleep(0.01)", env=probe_env(run.socket)
    )
    wait_for(lambda: receiver.points(names.HEAP_LIVE, one.pid))
    for request in receiver.metrics():
        for block in request.resource_metrics:
            assert {pair.key for pair in block.resource.attributes} <= public
            for metric in block.scope_metrics[0].metrics:
                assert metric.name in public


def test_the_pid_may_come_as_an_option(sidecar, receiver, app):
    root = app("input()")
    sidecar("--pid", str(root.pid))
    wait_for(lambda: root.pid in receiver.processes())


def test_input_that_makes_no_sense_and_its_end_change_nothing(sidecar, receiver, app):
    run = sidecar()
    for line in ("hello", '{"pid": "x"}', '{"pid": -4}', "[]", '{"pid": true}', "x" * 200_000):
        run.tell(line)
    root = app("input()")
    run.tell(f'{{"pid": {root.pid}}}')
    run.process.stdin.close()
    wait_for(lambda: root.pid in receiver.processes())
    root.end()
    wait_for(lambda: receiver.last(names.PROCESS_COUNT) == 0, what="the end of the root")
    assert run.process.poll() is None


def test_the_interval_is_kept_under_load(sidecar, receiver, app):
    busy = app("while True: sum(range(100000))")
    run = sidecar("--interval", "0.25", "--log-level", "info")
    run.tell(f'{{"pid": {busy.pid}}}')

    def times() -> list[float]:
        return [moment for moment, _ in receiver.points(names.PROCESS_COUNT)]

    def kept_together() -> int:
        """How many ticks came at the same place of the grid, within 50 ms: a few of a busy machine are late."""
        places = [moment % 0.25 for moment in times()]
        return max(sum((place - one) % 0.25 < 0.05 for place in places) for one in places)

    wait_for(lambda: len(found := times()) > 1 and found[-1] - found[0] > 3 and kept_together() >= 8)
    run.stop()
    ticks = times()[:-1]  # the last is the one of the end
    assert abs((ticks[-1] - ticks[0]) / 0.25 - (len(ticks) - 1)) <= 1 + run.counts()["ticks-skipped"]


# ── The end ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_sends_a_last_sample(sidecar, receiver, app, number):
    root = app("input()")
    run = sidecar("--interval", "60")
    wait_for(receiver.metrics, what="the first tick")
    run.tell(f'{{"pid": {root.pid}}}')
    assert root.pid not in receiver.processes()
    run.process.send_signal(number)
    assert run.process.wait(60) == 0
    assert root.pid in receiver.processes()
    assert not run.socket.exists()
    assert not run.ready.exists()


def test_it_ends_in_time_while_the_collector_hangs(sidecar, receiver, tmp_path):
    receiver.answer = receiver.hang
    run = sidecar("--spool", str(tmp_path / "spool"), "--log-level", "info")
    wait_for(lambda: receiver.attempts)
    time.sleep(0.5)  # some more are waiting when the end comes
    started = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    # Left alone the collector hangs for a minute; a busy machine makes the 5 s that are promised longer.
    assert run.process.wait(45) == 0
    assert time.monotonic() - started < 40
    kept = {path.name.partition(".")[0] for path in (tmp_path / "spool").glob("0*")}
    assert {batch for _, _, batch in receiver.attempts} <= kept
    assert len(kept) == run.counts()["batches-made"] >= 2
    assert "stay in the spool" in run.text()


def test_what_is_lost_at_the_end_is_said(sidecar, receiver):
    receiver.answer = lambda *_: (503, {}, b"")
    run = sidecar()
    wait_for(lambda: receiver.attempts)
    assert run.stop() == 0
    assert "are lost; give a --spool" in run.text()


def test_it_ends_when_the_one_who_started_it_ends(receiver, tmp_path):
    code = f"""
import subprocess, sys
run = subprocess.Popen([sys.executable, "-m", "memwarden_sidecar", "--scope-id", "s", "--interval", "60",
    "--socket", {str(tmp_path / "s")!r}, "--collector", {receiver.url!r},
    "--ready-file", {str(tmp_path / "r")!r}],
    stdin=subprocess.PIPE, start_new_session=True)
print(run.pid, flush=True)
sys.stdin.read()
"""
    command = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid = int(command.stdout.readline())
    wait_for(lambda: (tmp_path / "r").exists())
    assert json.loads((tmp_path / "r").read_text()) == {"pid": pid, "socket": str(tmp_path / "s")}
    command.kill()
    command.wait()
    command.stdin.close()
    command.stdout.close()
    wait_for(lambda: not (tmp_path / "s").exists(), what="the sidecar's end")


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────


GOOD = {"--scope-id": "s", "--socket": "/tmp/s", "--collector": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--socket", "/tmp/" + "x" * 120, "Unix allows 107"),
        ("--socket", "/nowhere/at/all/s", "create it or give another"),
        ("--socket", "/proc/s", "can't be made"),
        ("--socket", "/etc/passwd", "a file of another kind"),
        ("--collector", "127.0.0.1:4318", "write http://HOST:PORT"),
        ("--collector", "http://127.0.0.1:99999", "write http://HOST:PORT"),
        ("--collector", "http://127.0.0.1:0", "port 0"),
        ("--collector", "http://user:geheim@127.0.0.1", "must not hold a password"),
        ("--collector", "http://user:geheim@127.0.0.1:0", "must not hold a password"),
        ("--interval", "0", "between 0.05 and 3600"),
        ("--interval", "nan", "between 0.05 and 3600"),
        ("--interval", "soon", "not a number of seconds"),
        ("--profile-interval", "1", "below --interval"),
        ("--pid", "x", "not a whole number"),
        ("--memory-limit", "lots", "is not a size"),
        ("--memory-limit", "0", "must be above 0"),
        ("--sampling-bytes", "1", "between 256"),
        ("--log-level", "loud", "none of debug"),
        ("--spool", "/proc/spool", "the spool can't be used"),
        ("--ready-file", "/nowhere/ready", "--ready-file can't be written"),
        ("--scope-id", "", "is missing"),
        ("--colour", "red", "unrecognized arguments"),
        ("--sensitivity", "utmost", "invalid choice: 'utmost'"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(option, value, said, tmp_path):
    options = GOOD | {"--socket": str(tmp_path / "s")} | {option: value}
    arguments = [f"{key}={text}" for key, text in options.items()]
    done = subprocess.run(
        [sys.executable, "-m", "memwarden_sidecar", *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == names.EXIT_FAILED
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


def test_print_config_shows_all_but_the_token(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(names.ENV_TOKEN, "s3cret")
    options = [*(f"{key}={text}" for key, text in GOOD.items()), "--memory-limit=512MiB", "--print-config"]
    assert main(options) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["token"] == "(set)"
    assert printed["memory_limit"] == 512 << 20
    assert printed["profile_interval"] == 75


def test_a_token_that_no_header_carries_is_refused(capsys, monkeypatch):
    monkeypatch.setenv(names.ENV_TOKEN, "a\r\nX-Evil: 1")
    assert main([f"{key}={text}" for key, text in GOOD.items()]) == names.EXIT_FAILED
    assert "Evil" not in capsys.readouterr().err


def test_the_token_is_in_no_log_and_no_argument(sidecar, receiver):
    receiver.answer = lambda *_: (401, {}, f"bad token {token()}".encode())
    run = sidecar("--log-level", "debug")
    wait_for(lambda: receiver.attempts)
    wait_for(lambda: "bad token" in run.text(), what="the collector's words in the log")
    arguments = Path(f"/proc/{run.process.pid}/cmdline").read_bytes()
    run.stop()
    assert receiver.headers[0]["Authorization"] == f"Bearer {token()}"
    assert token().encode() not in arguments
    assert token() not in run.text()
    assert "bad token ***" in run.text()


def token() -> str:
    return "a-token-that-must-not-be-seen-0123456789"


def test_every_bound_has_a_sentence():
    tree = ast.parse(Path(settings_module.__file__).read_text())
    pending: list[str] = []
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and node.target.id.isupper()
            and not node.target.id.startswith("_")
        ):
            pending.append(node.target.id)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            pending.clear()  # a pair (first, last) may share one
    assert pending in ([], ["DEFAULT_INTERVAL_SECONDS"])


# ── What it costs ────────────────────────────────────────────────────────────────────────────────────────

MANY_SITES = """
import functools
import time
class Session:
    pass
sessions = [Session() for _ in range(300)]
@functools.lru_cache(maxsize=500)
def price(number):
    return [number]
for number in range(200):
    price(number), price(number % 7)
kept = []
source = "".join(f"def f{i}():\\n  return bytearray(40_000)\\n" for i in range(400))
space = {}
exec(compile(source, "/srv/many.py", "exec"), space)
def deep(level, function):
    return function() if level == 0 else deep(level - 1, function)
for level in range(5):
    for i in range(400):
        kept.append(deep(level, space[f"f{i}"]))
print("full", flush=True)
while True:
    [str(i) for i in range(1000)]
    time.sleep(0.02)
"""


def types_of(requests, pid: int) -> dict[str, int]:
    """Live objects by type, of the last census."""
    found = {}
    for request in requests:
        for block in request.resource_metrics:
            if pid in {pair.value.int_value for pair in block.resource.attributes}:
                for metric in block.scope_metrics[0].metrics:
                    if metric.name == names.OBJECTS_COUNT:
                        found = {
                            p.attributes[0].value.string_value: p.as_int for p in metric.gauge.data_points
                        }
    return found


def labelled(receiver, metric: str, pid: int, labels: dict[str, str]) -> list[float]:
    """Values of the points of a process that have these labels, in the first request that has any."""
    for request in receiver.metrics():
        for block in request.resource_metrics:
            if pid not in {pair.value.int_value for pair in block.resource.attributes}:
                continue
            found = [
                point.as_int
                for one in block.scope_metrics[0].metrics
                if one.name == metric
                for point in one.gauge.data_points
                if labels.items() <= {pair.key: pair.value.string_value for pair in point.attributes}.items()
            ]
            if found:
                return found
    return []


def full_profiles(receiver) -> set[int]:
    """Processes that have sent a profile of 1 900 stacks."""
    return {
        next(a.value.int_value for a in block.resource.attributes if a.key == names.PROCESS_PID)
        for request in receiver.profiles()
        for block in request.resource_profiles
        if len(request.dictionary.stack_table) >= 1900
    }


@pytest.mark.system
def test_five_processes_with_2000_stacks_and_a_census_in_48_mib(sidecar, receiver, app, probe_env):
    run = sidecar("--interval", "1", "--profile-interval", "1")
    apps = [app(MANY_SITES, env=probe_env(run.socket, sampling=4096)) for _ in range(5)]
    for one in apps:
        one.line()
    wait_for(lambda: full_profiles(receiver) == {one.pid for one in apps}, what="all five in full")
    pid = apps[0].pid
    wait_for(lambda: receiver.points(names.OBJECTS_COUNT, pid), what="a census")
    assert receiver.last(names.OBJECTS_SIZE, pid) > 0
    counted = types_of(receiver.metrics(), pid)
    assert counted["__main__.Session"] == 300
    labels = {names.CACHE_KIND: "lru_cache", names.CACHE_NAME: "price", names.CODE_FILE: "<string>"}
    for metric, value in (
        (names.CACHE_ENTRIES, 200),
        (names.CACHE_BOUND, 500),
        (names.CACHE_HITS, 200),
        (names.CACHE_MISSES, 200),
    ):
        assert labelled(receiver, metric, pid, labels) == [value], metric
    assert labelled(receiver, names.CONTAINER_ENTRIES, pid, {names.CONTAINER_NAME: "__main__.sessions"}) == [
        300
    ]
    status = Path(f"/proc/{run.process.pid}/status").read_text()
    peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    run.stop()
    print(f"peak {peak:.1f} MiB")
    assert peak <= 48


def test_only_what_it_may_is_imported():
    code = """
import sys
import memwarden_sidecar.sidecar
from memwarden_sidecar.export.destination import Destination
from memwarden_sidecar.export.transport import Transport
Transport(Destination("http://127.0.0.1:1"))
foreign = {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)
           and "site-packages" in module.__file__}
print((sorted(foreign), "ssl" in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    foreign, with_tls = ast.literal_eval(done.stdout)
    assert set(foreign) <= {"google", "opentelemetry", "_virtualenv", "_distutils_hack", "coverage"}
    assert not with_tls


def test_the_package_promises_nothing_else():
    assert memwarden_sidecar.__all__ == ()


@pytest.mark.parametrize("hours", [-5, 5])
def test_sample_times_go_on_when_the_wall_clock_of_the_process_jumps(sidecar, receiver, app, tmp_path, hours):
    faketime = pytest.importorskip("libfaketime", reason="libfaketime has no build for this machine")
    library = Path(faketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    offset = tmp_path / "offset"
    offset.write_text("+0")
    program = app("print('up', flush=True); input()")
    program.line()
    running = sidecar(
        *("--pid", str(program.pid)),
        env={
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )
    wait_for(lambda: len(receiver.points("memwarden.memory.anon")) >= 3)
    offset.write_text(f"{hours * 3600:+d}")
    seen = len(receiver.points("memwarden.memory.anon"))
    wait_for(lambda: len(receiver.points("memwarden.memory.anon")) >= seen + 4)
    times = sorted(time for time, _ in receiver.points("memwarden.memory.anon"))
    assert max(later - earlier for earlier, later in pairwise(times)) < 60
    assert running.stop() == 0
    assert "the wall clock jumped" in running.text()
