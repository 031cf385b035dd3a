"""Everything at once that has ever broken a hook: ``python stress.py [seconds]``, under the probe.

Run with MEMWARDEN_SAMPLING_BYTES=512 and a listener on MEMWARDEN_SOCKET (tests/test_stress.py has one). It prints
"clean" at the end; a crash, a hang or a wrong value is a failure.
"""

import asyncio
import gc
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref

END = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 10)
UNSEEN = (
    sys.argv[2] if len(sys.argv) > 2 else ""
)  # a file: while it is there, who looks on has not seen enough
FAILURES = []
DEEP = threading.Lock()  # one thread at a time, so that none turns the collector on for another


class Node:
    def __init__(self, other=None):
        self.other, self.me = other, self

    def __del__(self):
        [str(i) for i in range(3)]


def churn():
    data = {"key%d" % i: [i, str(i) * 10, {"x": (i, i)}] for i in range(200)}
    assert json.loads(json.dumps(data)).keys() == data.keys()
    assert pickle.loads(pickle.dumps(data)) == data
    re.compile("a+(b|c)*%d" % (time.time_ns() % 1000))


def cycles():
    seen = []
    for _ in range(100):
        node = Node(Node())
        weakref.finalize(node, seen.append, 1)
        node.other.other = node
    gc.collect(1)


def made_and_gone():
    for i in range(20):
        space = {}
        source = "def f():\n" + "    x = [%d] * 50\n" % i * 20 + "    return x"
        exec(compile(source, "<made %d>" % (time.time_ns() % 97), "exec"), space)
        assert space["f"]() == [i] * 50


def deep():
    def down(n):
        return down(n + 1) + [n]

    # A finaliser that the collector runs at the limit fails there, and CPython says so: the program's own affair.
    with DEEP:
        gc.disable()
        try:
            down(0)
        except RecursionError:
            pass
        finally:
            gc.enable()


def failing():
    for _ in range(20):
        try:
            {}["missing"]
        except KeyError as error:
            str(error)
        try:
            bytearray(2**60)
        except MemoryError:
            pass


def resizing():
    block = bytearray(10)
    for i in range(200):
        block.extend(bytes(i * 100))
    kept = []
    for i in range(5000):
        kept.append(i)
    del kept[::2]


def generators():
    def gen(n):
        got = yield from range(n)
        return got

    for _ in range(20):
        iterator = gen(10)
        next(iterator)
        iterator.close()
    sorted([[i] for i in range(100)], key=lambda pair: -pair[0])


def forking():
    child = os.fork()
    if not child:
        kept = [{} for _ in range(500)]
        os._exit(len(kept) % 7)
    _, status = os.waitpid(child, 0)
    if status != (500 % 7) << 8:
        FAILURES.append("a child ended with %d" % status)


def tracing():
    sys.setprofile(lambda *_: None)
    churn()
    sys.setprofile(None)
    sys.settrace(lambda *_: None)
    generators()
    sys.settrace(None)
    tracemalloc.start()
    churn()
    tracemalloc.stop()


def monitoring():
    if sys.version_info < (3, 12):
        return
    events = sys.monitoring.events
    sys.monitoring.use_tool_id(4, "stress")
    sys.monitoring.register_callback(4, events.PY_START, lambda *_: None)
    sys.monitoring.set_events(4, events.PY_START | events.LINE)
    generators()
    sys.monitoring.set_events(4, 0)
    sys.monitoring.free_tool_id(4)


def coroutines():
    async def leaf(n):
        await asyncio.sleep(0)
        return [n] * 100

    async def root():
        return await asyncio.gather(*(leaf(n) for n in range(100)))

    loop = asyncio.new_event_loop()
    assert len(loop.run_until_complete(root())) == 100
    loop.close()


def sub_interpreters():
    """From 3.12 on each has a GIL of its own: its thread is in the hook at the same time as ours."""
    try:
        import _interpreters as interpreters
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            return
    if sys.version_info < (3, 12):
        made = interpreters.create()
        interpreters.run_string(made, "kept = [{'n': [n]} for n in range(500)]")
        interpreters.destroy(made)
        return
    made = [interpreters.create() for _ in range(2)]
    threads = [
        threading.Thread(
            target=interpreters.run_string, args=(one, "kept = [[{n: str(n)}] for n in range(5000)]")
        )
        for one in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in made:
        interpreters.destroy(one)


LEAVING = """
import threading
def work():
    while True: [str(n) for n in range(100)]
for _ in range(4): threading.Thread(target=work, daemon=True).start()
[{} for _ in range(10000)]
"""
SHARING = """
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert sum(pool.map(len, ["x" * n for n in range(200)])) == 19900
"""


# Before 3.11 a daemon thread that takes the GIL at the end may look into its freed state: on 3.10 one such program of a
# hundred crashes without any probe (with malloc for everything; now and then without that).
LEAVES = [] if sys.version_info < (3, 11) else [LEAVING]


def children():
    for source in (*LEAVES, SHARING, "import json, re, pickle"):
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", source], stderr=subprocess.PIPE)
        if done.returncode:
            FAILURES.append("a program ended with %d: %r" % (done.returncode, done.stderr[-2000:]))


def goes_on():
    return not FAILURES and (time.monotonic() < END or os.path.exists(UNSEEN))


def work(jobs):
    while goes_on():
        for job in jobs:
            try:
                job()
            except Exception as error:
                FAILURES.append("%s: %r" % (job.__name__, error))
                raise


def main():
    gc.set_threshold(3, 2, 2)
    signal.signal(signal.SIGALRM, lambda *_: [object() for _ in range(5)])
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    mixes = [
        (churn, cycles), (made_and_gone, failing), (deep, generators), (resizing, churn),
        (made_and_gone, cycles), (generators, failing), (coroutines, cycles),
    ]  # fmt: skip
    threads = [threading.Thread(target=work, args=(mix,)) for mix in mixes]
    for thread in threads:
        thread.start()
    rounds = 0
    while goes_on():
        forking()
        rounds += 1
        if rounds % 10 == 0:
            tracing()
            monitoring()
            gc.set_threshold(700, 10, 10)
            sub_interpreters()
            children()
            gc.set_threshold(1 + rounds % 3, 2, 2)
    for thread in threads:
        thread.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(FAILURES or "clean", rounds, flush=True)


main()
