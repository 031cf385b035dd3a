"""With the real probe: sites, ages, forks, exec, kill −9, censuses."""

import os
import shutil
import signal
import sys
from pathlib import Path

from waiting import wait_for

from memwarden_api import names

LEAK = """
import time
kept = []
def leak():
    for _ in range(5):
        kept.append(bytearray(20_000))
print("up", flush=True)
while True:
    leak()
    time.sleep(0.01)
"""


def profiles_of(receiver, pid, kind=names.PROFILE_SPACE):
    """[(time, {(function, file): bytes}, {age: bytes})] of one process."""
    found = []
    for request in receiver.profiles():
        d = request.dictionary
        text = d.string_table
        for resource in request.resource_profiles:
            pids = [
                pair.value.int_value for pair in resource.resource.attributes if pair.key == names.PROCESS_PID
            ]
            if pids != [pid]:
                continue
            for profile in resource.scope_profiles[0].profiles:
                if text[profile.sample_type.type_strindex] == kind:
                    found.append((profile.time_unix_nano, *sums(d, profile)))
    return sorted(found, key=lambda entry: entry[0])


def sums(d, profile):
    functions: dict[str, int] = {}
    ages: dict[str, int] = {}
    for sample in profile.samples:
        age = d.attribute_table[sample.attribute_indices[0]].value.string_value
        ages[age] = ages.get(age, 0) + sample.values[0]
        for index in d.stack_table[sample.stack_index].location_indices[:1]:
            function = d.function_table[d.location_table[index].lines[0].function_index]
            name = d.string_table[function.name_strindex]
            functions[name] = functions.get(name, 0) + sample.values[0]
    return functions, ages


def test_a_leak_is_seen_with_its_function_and_ages(sidecar, receiver, app, probe_env):
    run = sidecar("--profile-interval", "0.4")
    leaking = app(LEAK, env=probe_env(run.socket))
    leaking.line()
    run.tell(f'{{"pid": {leaking.pid}}}')

    def old_enough():
        found = profiles_of(receiver, leaking.pid)
        return found[-1] if found and found[-1][2].get("5", 0) > 0 else None

    _, functions, ages = wait_for(old_enough, what="a profile with ages")
    assert functions["leak"] > 0.8 * sum(functions.values())
    assert {"1", "2", "5"} <= set(ages)
    process = receiver.processes()[leaking.pid]
    assert process[names.PROBE_STATE] == names.PROBE_STATE_HOOKED
    assert process[names.PROCESS_RUNTIME_VERSION] == ".".join(map(str, sys.version_info[:3]))
    assert os.path.dirname(os.__file__) in process[names.CODE_LIBRARY_PREFIXES]
    live = receiver.points(names.HEAP_LIVE, leaking.pid)
    assert live[-1][1] > live[0][1]
    for metric in (names.HEAP_SAMPLES, names.HEAP_ALLOCATED, names.PROBE_CPU_TIME, names.PROCESS_CPU_TIME):
        assert receiver.last(metric, leaking.pid) > 0
    assert receiver.last(names.HEAP_SAMPLING_INTERVAL, leaking.pid) == 16384
    wait_for(lambda: receiver.last(names.PROBE_SILENCE, leaking.pid) < 2, what="a word of the probe just now")


SLOW_LEAK = """
import threading, time
kept, going = [], True
def obey():
    global going
    input()
    going = False
threading.Thread(target=obey, daemon=True).start()
print("up", flush=True)
while True:
    if going:
        kept.append(bytearray(4_000))
    bytearray(100_000)
    time.sleep(0.01)
"""


def test_a_slow_rise_is_sampled_finer_until_it_ends(sidecar, receiver, app, probe_env):
    run = sidecar()
    leaking = app(SLOW_LEAK, env=probe_env(run.socket, sampling=131072))
    leaking.line()
    run.tell(f'{{"pid": {leaking.pid}}}')

    def sampled(average):
        return lambda: receiver.last(names.HEAP_SAMPLING_INTERVAL, leaking.pid) == average

    wait_for(lambda: receiver.last(names.HEAP_SAMPLES, leaking.pid), what="the first samples")
    assert sampled(131072)()
    wait_for(sampled(65536), what="finer samples")
    leaking.process.stdin.write("\n")
    leaking.process.stdin.flush()
    wait_for(sampled(131072), what="the usual samples again")


def test_the_average_is_told_to_the_probe(sidecar, receiver, app, probe_env):
    run = sidecar("--sampling-bytes", "64k")
    leaking = app(LEAK, env=probe_env(run.socket))
    wait_for(lambda: receiver.last(names.HEAP_SAMPLING_INTERVAL, leaking.pid) == 65536)


def test_a_killed_process_is_seen_once_more(sidecar, receiver, app, probe_env):
    run = sidecar("--interval", "30")  # no tick comes between: all that arrives is the last sight
    code = """
import time
kept = [bytearray(20_000) for _ in range(2000)]
for _ in range(30):
    [str(i) for i in range(1000)]
    time.sleep(0.01)
print("full", flush=True)
time.sleep(60)
"""
    full = app(code, env=probe_env(run.socket))
    full.line()
    os.kill(full.pid, signal.SIGKILL)
    full.process.wait()
    wait_for(lambda: profiles_of(receiver, full.pid), what="a last profile")
    functions = profiles_of(receiver, full.pid)[-1][1]
    assert sum(functions.values()) > 30e6
    assert receiver.last(names.HEAP_LIVE, full.pid) > 30e6


def test_a_process_that_ends_by_itself_is_seen_while_it_is_whole(sidecar, receiver, app, probe_env):
    run = sidecar("--interval", "30")
    code = """
import time
kept = [bytearray(20_000) for _ in range(2000)]
more = {str(i): [i] for i in range(300_000)}
time.sleep(0.3)
print("ending", flush=True)
"""
    short = app(code, env=probe_env(run.socket))
    short.process.wait(120)
    wait_for(lambda: receiver.last(names.HEAP_LIVE, short.pid), what="a last sample")
    assert receiver.last(names.HEAP_LIVE, short.pid) > 35e6
    assert "ending" in receiver.processes()[short.pid][names.PROCESS_COMMAND_LINE]


FORKS = """
import os, time
inherited = [bytearray(20_000) for _ in range(2000)]
child = os.fork()
if child == 0:
    def own():
        return [bytearray(20_000) for _ in range(500)]
    mine = own()
    print("child", os.getpid(), flush=True)
while True:
    [str(i) for i in range(1000)]
    time.sleep(0.01)
"""


def test_what_was_inherited_counts_to_the_parent_and_to_the_child_when_it_is_alone(
    sidecar, receiver, app, probe_env
):
    run = sidecar("--profile-interval", "0.2")
    parent = app(FORKS, env=probe_env(run.socket))
    child = int(parent.line().split()[1])
    try:
        run.tell(f'{{"pid": {parent.pid}}}')

        def own() -> int:
            """Of the child's last profile: it is known from its first mebibyte on, before it has allocated all."""
            (*_, (_, functions, _)) = profiles_of(receiver, child) or [(0, {}, {})]
            return sum(size for name, size in functions.items() if name.startswith("own"))

        wait_for(lambda: own() > 8e6, what="a profile of the child")
        wait_for(lambda: receiver.last(names.HEAP_LIVE, child) > 8e6, what="its heap")
        assert receiver.last(names.HEAP_LIVE, child) < 14e6
        assert receiver.last(names.HEAP_LIVE, parent.pid) > 35e6
        parent.end()
        wait_for(lambda: receiver.last(names.HEAP_LIVE, child) > 45e6, what="the child as the only heir")
    finally:
        os.kill(child, signal.SIGKILL)


def test_exec_replaces_the_program_and_its_table(sidecar, receiver, app, probe_env):
    run = sidecar()
    code = """
import os, select, sys
first = [bytearray(20_000) for _ in range(2000)]
while not select.select([0], [], [], 0.01)[0]:
    [str(i) for i in range(1000)]
os.execv(sys.executable, [sys.executable, "-c", '''
import time
print("second", flush=True)
while True:
    [str(i) for i in range(1000)]; time.sleep(0.01)
'''])
"""
    one = app(code, env=probe_env(run.socket))
    wait_for(lambda: (receiver.last(names.HEAP_LIVE, one.pid) or 0) > 30e6, what="the first program")
    one.go_on()
    assert one.line() == "second"
    wait_for(lambda: receiver.last(names.HEAP_LIVE, one.pid) < 5e6, what="the second program")
    assert run.stop() == 0


def test_an_interpreter_without_a_hook_says_why(sidecar, receiver, app, probe_env, tmp_path):
    run = sidecar()
    env = probe_env(run.socket)
    inject = Path(env["PYTHONPATH"])
    for folder in (inject, inject.parent / "memwarden_probe"):
        shutil.copytree(folder, tmp_path / folder.name)  # without its library
    one = app("input()", env=env | {"PYTHONPATH": str(tmp_path / inject.name)})
    run.tell(f'{{"pid": {one.pid}}}')
    wait_for(
        lambda: "no hook is built for" in receiver.processes().get(one.pid, {}).get(names.PROBE_REASON, "")
    )
    assert receiver.processes()[one.pid][names.PROBE_STATE] == names.PROBE_STATE_OUTSIDE


def test_a_silent_process_says_since_when(sidecar, receiver, app, probe_env):
    run = sidecar()
    one = app("print('up', flush=True); import time; time.sleep(60)", env=probe_env(run.socket))
    one.line()
    wait_for(lambda: (receiver.last(names.PROBE_SILENCE, one.pid) or 0) > 1.5)
    assert receiver.last(names.HEAP_LIVE, one.pid) is not None


MAD = """
print("up", flush=True)
while True:
    [[n, str(n)] for n in range(2000)]
"""


def test_a_probe_over_its_budget_is_reported_in_words(sidecar, receiver, app, probe_env):
    run = sidecar()
    mad = app(MAD, env=probe_env(run.socket, sampling=256) | {names.ENV_CPU_BUDGET: ""})
    reason = wait_for(lambda: (receiver.processes().get(mad.pid) or {}).get(names.PROBE_REASON), 120, "words")
    assert reason.startswith("sampling was thinned to 1 sample per ")
    assert "(1 per 256 bytes was asked for): it took " in reason
    assert "% of the process's CPU time, its budget is 2 %" in reason
    process = receiver.processes()[mad.pid]
    assert process[names.PROBE_STATE] == names.PROBE_STATE_HOOKED
    live = receiver.points(names.HEAP_SAMPLING_INTERVAL, mad.pid)
    assert wait_for(lambda: receiver.last(names.HEAP_SAMPLING_INTERVAL, mad.pid) > 256), live


def test_a_probe_that_switched_itself_off_is_outside_from_then_on(sidecar, receiver, app, probe_env):
    run = sidecar("--profile-interval", "0.4")
    mad = app(MAD, env=probe_env(run.socket, sampling=256) | {names.ENV_CPU_BUDGET: "0.001"})

    def outside():
        process = receiver.processes().get(mad.pid)
        return process if process and process[names.PROBE_STATE] == names.PROBE_STATE_OUTSIDE else None

    process = wait_for(outside, timeout=120, what="outside")
    assert process[names.PROBE_REASON].startswith(f"{names.PROBE_SWITCHED_OFF}: even at 1 sample per 64 MiB")
    heap = len(receiver.points(names.HEAP_LIVE, mad.pid))
    rss = len(receiver.points(names.PROCESS_MEMORY_USAGE, mad.pid))
    wait_for(lambda: len(receiver.points(names.PROCESS_MEMORY_USAGE, mad.pid)) > rss + 3, what="watched on")
    assert len(receiver.points(names.HEAP_LIVE, mad.pid)) <= heap + 1
