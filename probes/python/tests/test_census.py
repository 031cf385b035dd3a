"""Does the census count what is there, and write nothing?"""

import re

import interpreters
import pytest

QUIET = """
    import gc, sys, os, time
    class Order:
        def __init__(self):
            self.lines = []
    class Ünïcode(dict):
        pass
    kept = [Order() for _ in range(12_345)] + [Ünïcode(a=1) for _ in range(77)]
    lists = sum(1 for thing in gc.get_objects() if type(thing) is list)
    sizes = sum(sys.getsizeof(thing) for thing in gc.get_objects() if type(thing) is list)
    gc.collect()
    print(lists, sizes, flush=True)
    while True:
        time.sleep(0.02); bytes(1000)  # only who allocates can be asked
    """


@pytest.mark.parametrize("version", interpreters.WITH_CENSUS)
def test_counts_instances_exactly(listener, run, version):
    program = run(version, QUIET)
    lists, sizes = map(int, program.line().split())
    answer = listener.peer(program.pid).ask("census", 7, top=200)["result"]
    types = {entry["name"]: entry for entry in answer["types"]}
    assert types["__main__.Order"]["count"] == 12_345
    assert types["__main__.Ünïcode"]["count"] == 77
    assert abs(types["builtins.list"]["count"] - lists) <= 10
    assert abs(types["builtins.list"]["bytes"] / sizes - 1) < 0.02
    assert answer["partial"] is False
    assert answer["objects"] >= 24_000
    assert 0 < answer["seconds"] < 5


@pytest.mark.parametrize("version", interpreters.WITH_CENSUS)
def test_counts_while_the_program_works(listener, run, version):
    source = """
    import sys, threading
    class Stable: pass
    kept = [Stable() for _ in range(300_000)]
    def work():
        while True:
            [[{}] for _ in range(1000)]
    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.readline()
    """
    program = run(version, source)
    program.line()
    peer = listener.peer(program.pid)
    for number in range(5, 8):
        answer = peer.ask("census", number, top=20)["result"]
        found = {entry["name"]: entry["count"] for entry in answer["types"]}.get("__main__.Stable", 0)
        assert found == 300_000 or answer["partial"]
        assert found <= 300_000


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_forked_worker_keeps_sharing_its_memory(listener, run, version):
    source = """
    import gc, os, sys, time
    class Order: pass
    kept = [Order() for _ in range(200_000)]
    gc.disable()
    worker = os.fork()
    if worker:
        print(worker, flush=True)
        os.waitpid(worker, 0)
    while True:
        time.sleep(0.02); bytes(1000)  # only who allocates can be asked
    """
    program = run(version, source)
    worker = int(program.line())
    peer = listener.peer(worker)
    before = private_dirty(worker)
    answer = peer.ask("census", 3, top=10)["result"]
    after = private_dirty(worker)
    counts = {entry["name"]: entry["count"] for entry in answer["types"]}
    assert counts["__main__.Order"] == 200_000
    assert after - before <= 1024


def private_dirty(pid):
    """In KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return int(re.search(r"Private_Dirty: +(\d+)", file.read())[1])


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_bad_requests_do_no_harm(listener, run, version):
    program = run(version, QUIET)
    program.line()
    peer = listener.peer(program.pid)
    assert peer.ask("snapshot", 1001)["error"]["code"] == -32601
    assert peer.ask("set_sampling", 1002, average_bytes=1)["error"]["code"] == -32602
    broken = b'{"id":1,"method":"census","params":\n'
    for garbage in (b"\n", b"{}\n", b"[[[\n", broken, b"\xff\x00\n", b"x" * 20_000 + b"\n"):
        peer.link.sendall(garbage)
    assert peer.ask("census", 1003, top=0)["result"]["types"] == []
    assert peer.ask("census", 1004, top=10**9)["result"]["partial"] is False


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_what_does_not_fit_into_a_line_is_left_out_whole(listener, run, version):
    source = r"""
    import time
    names = {"__module__": "\x02" * 1000, "__qualname__": "\x03" * 1000}  # six characters each, as JSON has them
    kept = [[type("Long", (), names)() for _ in range(2)] for _ in range(400)]
    print("ready", flush=True)
    while True:
        time.sleep(0.02); bytes(1000)  # only who allocates can be asked
    """
    program = run(version, source)
    program.line()
    answer = listener.peer(program.pid).ask("census", 2, top=1000)["result"]
    long = [entry for entry in answer["types"] if entry["name"].startswith("\x02")]
    assert 10 < len(long) < 400
    assert answer["containers"]
    assert answer["partial"] is False


@pytest.mark.parametrize("version", ["3.11"])  # the last whose interpreters all take from the same pools
def test_a_place_that_another_interpreter_took_over_is_not_walked_on(listener, run, version):
    """The functions of one interpreter go while the census waits among them; another one's come to their addresses,
    and their ring has a head that is no object and that the census doesn't know.
    """
    source = """
    import gc, sys
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    other = interpreters.create()
    functions = "[lambda: 0 for _ in range(200_000)]"
    sys.setswitchinterval(0.05)  # a pause is long enough for all of it
    print("ready", flush=True)
    while True:
        kept = eval(functions)
        gc.collect()  # into the old ring, where the census pauses
        for _ in range(100):
            [[] for _ in range(1000)]
        kept = None
        interpreters.run_string(other, "kept = " + functions)
        interpreters.run_string(other, "kept = None")
    """
    program = run(version, source)
    program.line()
    peer = listener.peer(program.pid)
    for number in range(5, 15):
        assert peer.ask("census", number, top=20)["result"]["objects"] > 0
    assert program.process.poll() is None
