"""Forks, threads, exec, deaths, lost descriptors: does each process stay well and readable?"""

import os
import signal
import time

import interpreters
import pytest
from small_sidecar import Listener, wait_for

STAY = """
    while True:
        kept.append(bytes(2000)); del kept[-1]
        time.sleep(0.01)
    """


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_a_forked_child_has_a_table_of_its_own(listener, run, version):
    source = """
    import os, sys, time
    def before(): return [bytes(4000) for _ in range(5000)]
    def after(): return [bytes(4000) for _ in range(5000)]
    kept = before()
    if not os.fork():
        kept += after()
        print(os.getpid(), flush=True)  # it was known from its first mebibyte on, before it had allocated all
    """
    program = run(version, source + STAY, MEMWARDEN_SAMPLING_BYTES="16384")
    child = int(program.line())
    header = listener.peer(child).table.read_header()
    assert (header.pid, header.parent_pid) == (child, program.pid)
    assert header.fork_ms > 0
    sites = listener.peer(child).table.read_sites()
    for function, own, inherited in (("before", 0, 20e6), ("after", 20e6, 0)):
        here = [site for site in sites if any(frame[1] == function for frame in site.frames)]
        assert sum(site.bytes for site in here) == pytest.approx(own, rel=0.3)
        assert sum(site.inherited_bytes for site in here) == pytest.approx(inherited, rel=0.3)
    assert listener.peer(program.pid).table.read_header().fork_ms == 0
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_forks_within_a_millisecond_tell_their_own_from_what_came_with_them(listener, run, version):
    source = """
    import os, sys, time
    def at_once(level): return [bytes(50_000) for _ in range(8)]
    kept = at_once(0)
    for level in range(1, 6):          # each forks the next before the clock of the sampler has moved
        child = os.fork()
        if child:
            break
        kept += at_once(level)
    print("done", flush=True)
    """
    program = run(version, source + STAY, MEMWARDEN_SAMPLING_BYTES="256")
    # A child that had to wait a second for a core may have called before it had allocated all.
    assert [program.line() for _ in range(6)] == ["done"] * 6

    def said_hello():
        """By process: on a busy machine one may have called twice, the newest call counts."""
        return {peer.pid: peer.table for peer in list(listener.peers) if peer.hello is not None}

    wait_for(lambda: len(said_hello()) == 6, "all six processes")
    peers = said_hello()
    pid, level = program.pid, 0
    while pid:
        sites = [site for site in peers[pid].read_sites() if any(at[1] == "at_once" for at in site.frames)]
        assert sum(site.bytes for site in sites) == pytest.approx(8 * 50_033, rel=0.02)
        assert sum(site.inherited_bytes for site in sites) == pytest.approx(level * 8 * 50_033, rel=0.02)
        children = (other for other, table in peers.items() if table.read_header().parent_pid == pid)
        pid, level = next(children, None), level + 1
    assert level == 6


@pytest.mark.parametrize("version", interpreters.REQUIRED)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works(listener, run, version, method):
    source = f"""
    import multiprocessing
    def square(number): return number * number
    if __name__ == "__main__":
        with multiprocessing.get_context("{method}").Pool(3) as pool:
            print(sum(pool.map(square, range(1000))), flush=True)
    """
    assert run(version, source).finish() == ("332833500\n", "")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_short_children_open_no_connection(listener, run, version):
    source = """
    import os, subprocess, sys, time
    slow = 0
    for number in range(110):
        began = time.monotonic()
        if number < 100:
            child = os.fork()
            if not child:
                kept = [{} for _ in range(2000)]
                os._exit(0)
            os.waitpid(child, 0)
        else:
            subprocess.run(["true"], preexec_fn=lambda: None)
        slow += time.monotonic() - began > 0.9  # it had to wait for a core until it was a second old
    print(slow)
    """
    out, _ = run(version, source).finish()
    assert 1 <= len(listener.peers) <= 1 + int(out)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_threads_are_sampled(listener, run, version):
    source = """
    import sys, threading
    def work(kept):
        for _ in range(2000):
            kept.append(bytes(4000))
    kept = []
    threads = [threading.Thread(target=work, args=(kept,)) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print("ready", flush=True)
    sys.stdin.readline()
    """
    program = run(version, source, MEMWARDEN_SAMPLING_BYTES="16384")
    program.line()
    sites = listener.peer(program.pid).table.read_sites()
    worked = sum(site.bytes for site in sites if site.frames and site.frames[0][1] == "work")
    assert worked == pytest.approx(8 * 2000 * 4033, rel=0.2)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_exec_starts_anew(listener, run, version):
    source = """
    import os, sys
    if len(sys.argv) == 1:
        os.execv(sys.executable, [sys.executable, __file__, "again"])
    print("again", flush=True)
    sys.stdin.readline()
    """
    program = run(version, source)
    assert program.line() == "again"
    second = listener.peer(program.pid, number=1)
    wait_for(lambda: listener.peer(program.pid).ended, "the end of the first connection")
    assert second.table.read_header().pid == program.pid


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_the_table_outlives_its_process(listener, run, version):
    source = """
    import sys
    kept = [bytes(4000) for _ in range(5000)]
    print("ready", flush=True)
    while True:
        kept.append(bytes(10)); del kept[-1]
    """
    program = run(version, source, MEMWARDEN_SAMPLING_BYTES="16384")
    program.line()
    peer = listener.peer(program.pid)
    wait_for(lambda: peer.table.read_header().ticks > 2, "ticks")
    program.process.send_signal(signal.SIGKILL)
    wait_for(lambda: peer.ended, "the end of the connection")
    header = peer.table.read_header()
    assert time.monotonic_ns() - header.tick_monotonic_ns < 10e9
    assert header.rss_bytes > 20e6
    assert not peer.said_goodbye
    assert sum(site.bytes for site in peer.table.read_sites()) == pytest.approx(20.2e6, rel=0.3)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_it_comes_back_when_the_sidecar_does(listener, run, tmp_path, version):
    source = "import sys, time\nkept = [bytes(4000) for _ in range(5000)]\nprint('ready', flush=True)\n"
    program = run(
        version, source + "while True: time.sleep(0.01); bytes(1000)", MEMWARDEN_SAMPLING_BYTES="16384"
    )
    program.line()
    first = listener.peer(program.pid).table.read_header()
    path = listener.path
    listener.close()
    time.sleep(0.5)
    with Listener(path) as second:
        again = second.peer(program.pid).table
        assert again.read_header().generation == first.generation + 1
        assert sum(site.bytes for site in again.read_sites()) == pytest.approx(20.2e6, rel=0.3)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_closing_every_descriptor_harms_nobody(listener, run, tmp_path, version):
    source = """
    import os, socket, sys, time
    print("ready", flush=True)
    sys.stdin.readline()
    os.closerange(3, 1024)
    ours, theirs = socket.socketpair()
    held = open("users.txt", "w+")
    for number in range(200, 206):            # the probe's old number now belongs to the user
        os.dup2(ours.fileno() if number % 2 else held.fileno(), number)
    print("closed", flush=True)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        [bytes(100) for _ in range(1000)]
    theirs.setblocking(False)
    try:
        print("got", theirs.recv(10))
    except BlockingIOError:
        print("nothing came")
    for number in range(200, 206):
        os.fstat(number)
    print(os.path.getsize("users.txt"), flush=True)
    """
    program = run(version, source)
    program.line()
    listener.peer(program.pid)
    program.go_on()
    assert program.line() == "closed"
    listener.peer(program.pid, number=1)
    assert program.finish() == ("nothing came\n0\n", "")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_daemon_that_forks_twice_is_found(listener, run, tmp_path, version):
    source = """
    import os, sys, time
    kept = []
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 1024)
    open("daemon.pid", "w").write(str(os.getpid()))
    """
    run(version, source + STAY)

    def written():
        file = tmp_path / "daemon.pid"
        return file.exists() and file.read_text()

    daemon = int(wait_for(written, "the daemon's process id"))
    try:
        assert listener.peer(daemon).table.read_header().parent_pid != 0
    finally:
        os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_no_descriptor_left_is_survived(listener, run, version):
    source = """
    import os, resource, sys, time
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    print("ready", flush=True)
    sys.stdin.readline()
    taken = []
    try:
        while True: taken.append(os.dup(0))
    except OSError: pass
    end = time.monotonic() + 1.5
    while time.monotonic() < end: [bytes(100) for _ in range(1000)]
    for fd in taken: os.close(fd)
    print("fine", flush=True)
    while True: time.sleep(0.01); bytes(1000)
    """
    program = run(version, source)
    program.line()
    listener.peer(program.pid).link.shutdown(2)
    program.go_on()
    assert program.line() == "fine"
    listener.peer(program.pid, number=1)


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_at_an_orderly_end_the_heap_is_as_it_was_before_it_was_taken_apart(listener, run, version):
    source = """
    import atexit, sys
    kept = [bytes(4000) for _ in range(2000)]
    def last(): kept.extend(bytes(4000) for _ in range(500))
    atexit.register(last)
    """
    program = run(version, source, MEMWARDEN_SAMPLING_BYTES="4096")
    program.finish()
    peer = listener.peer(program.pid)
    wait_for(lambda: peer.said_goodbye and peer.ended, "goodbye")
    assert len([message for message in peer.messages if message.get("method") == "goodbye"]) == 1
    assert sum(site.bytes for site in peer.table.read_sites()) == pytest.approx(2500 * 4033, rel=0.15)


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_exits_in_the_very_moment_of_a_census_harm_nobody(listener, run, version):
    """Each of many short programs gets its questions as it ends: none crashes, none hangs."""
    listener.greeting = [{"id": number, "method": "census", "params": {"top": 3}} for number in range(10, 14)]
    source = """
    import sys, time
    kept = [{} for _ in range(30_000)]
    end = time.monotonic() + 0.30
    while time.monotonic() < end: kept.append({})
    """
    for _ in range(8):
        assert run(version, source).finish() == ("", "")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_exit_during_a_census_is_swift(listener, run, version):
    source = """
    import sys
    kept = [{} for _ in range(200_000)]
    print("ready", flush=True)
    for line in sys.stdin:
        kept.append({})
    """
    program = run(version, source)
    program.line()
    peer = listener.peer(program.pid)
    for number in range(20):
        peer.send({"id": number, "method": "census", "params": {"top": 3}})
    program.go_on()
    began = time.monotonic()
    program.finish()
    assert time.monotonic() - began < 60
