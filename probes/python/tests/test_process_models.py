"""Ways in which programs make processes by themselves: each process is known, with its parent and its own sites."""

import interpreters
import pytest
from small_sidecar import wait_for

MEBIBYTE = 2**20


def live(table, function):
    """Own and inherited bytes of all stacks whose innermost frame is in this function."""
    sites = [site for site in table.read_sites() if site.frames and site.frames[0][1].endswith(function)]
    return sum(site.bytes for site in sites), sum(site.inherited_bytes for site in sites)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_worker_of_multiprocessing_is_known(listener, run, version, method):
    source = f"""
    import multiprocessing, os, sys, time
    def before():
        kept = []
        for _ in range(100): kept.append(bytes(20_000))
        return kept
    def work(gate):
        kept = []
        for _ in range(100): kept.append(bytes(20_000))
        print(os.getpid(), os.getppid(), flush=True)
        gate.wait()
    if __name__ == "__main__":
        shared = before()
        context = multiprocessing.get_context("{method}")
        gate = context.Event()
        workers = [context.Process(target=work, args=(gate,)) for _ in range(3)]
        for worker in workers: worker.start()
        sys.stdin.readline()
        gate.set()
        for worker in workers: worker.join()
        print([worker.exitcode for worker in workers], flush=True)
    """
    program = run(version, source, MEMWARDEN_SAMPLING_BYTES="2048")
    workers = dict(map(int, program.line().split()) for _ in range(3))
    for pid, parent in workers.items():
        table = listener.peer(pid).table
        header = table.read_header()
        assert (header.pid, header.parent_pid) == (pid, parent)
        assert live(table, "work") == (pytest.approx(100 * 20_033, rel=0.1), 0)
        inherited = 100 * 20_033 if method == "fork" else 0
        assert live(table, "before") == (0, pytest.approx(inherited, rel=0.1))
    assert live(listener.peer(program.pid).table, "before") == (pytest.approx(100 * 20_033, rel=0.1), 0)
    program.go_on()
    assert program.finish() == ("[0, 0, 0]\n", "")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_tasks_of_asyncio_have_their_own_sites(listener, run, version):
    source = """
    import asyncio, sys
    kept = []
    async def leak(number):
        await asyncio.sleep(0)
        kept.append(bytes(20_000))
    async def main():
        await asyncio.gather(*(leak(number) for number in range(200)))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('child')")
        await process.wait()
        print(len(kept), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    asyncio.run(main())
    """
    program = run(version, source, MEMWARDEN_SAMPLING_BYTES="2048")
    assert [program.line(), program.line()] == ["child", "200"]
    assert live(listener.peer(program.pid).table, "leak")[0] == pytest.approx(200 * 20_033, rel=0.1)
    program.go_on()
    assert program.finish() == ("", "")


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_a_user_namespace_is_entered_as_without_us(listener, run, version):
    """The kernel refuses it to a process with a second thread; a census that was asked for must not be one."""
    source = """
    import os, sys
    kept = [{} for _ in range(100_000)]
    sys.stdin.readline()
    if os.fork() == 0:
        if hasattr(os, "unshare"):
            try:
                print(os.unshare(0x10000000), flush=True)
            except OSError as error:
                print(error.errno, flush=True)
        else:
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            print(libc.unshare(0x10000000), ctypes.get_errno(), flush=True)
        os._exit(0)
    os.wait()
    """
    plain = run(version, source, PYTHONPATH="")
    plain.go_on()
    expected = plain.finish()
    program = run(version, source)
    peer = listener.peer(program.pid)
    for number in range(10, 14):
        peer.send({"id": number, "method": "census", "params": {"top": 3}})
    program.go_on()
    assert program.finish() == expected


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_child_with_a_function_before_its_exec_is_known(listener, run, version):
    source = """
    import os, subprocess, sys
    child = "import os, sys; kept = [bytes(20_000) for _ in range(100)];"
    child += "print(os.getpid(), os.getpgid(0) == os.getpid(), flush=True); sys.stdin.readline()"
    for close_fds in (True, False):
        process = subprocess.Popen([sys.executable, "-c", child], preexec_fn=os.setpgrp, close_fds=close_fds)
        sys.stdout.flush()
    sys.stdin.readline()
    """
    program = run(version, source)
    for _ in range(2):
        pid, leads = program.line().split()
        assert leads == "True"
        header = listener.peer(int(pid)).table.read_header()
        assert (header.parent_pid, header.fork_ms) == (program.pid, 0)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_child_that_works_for_a_moment_and_then_waits_is_known(listener, run, version):
    source = """
    import os, select, sys
    child = os.fork()
    if child == 0:
        kept = [bytes(20_000) for _ in range(100)]
        print(os.getpid(), flush=True)
        select.select([], [], [])            # nothing is allocated from here on
    sys.stdin.readline()
    """
    program = run(version, source)
    listener.peer(int(program.line()))


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_program_that_replaces_itself_again_and_again_is_one_process(listener, run, version):
    source = """
    import os, sys
    turn = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    kept = [bytes(20_000) for _ in range(20)]
    if turn < 5:
        os.execv(sys.executable, [sys.executable, __file__, str(turn + 1)])
    print(len(os.listdir("/proc/self/fd")), flush=True)
    sys.stdin.readline()
    """
    plain = run(version, source, PYTHONPATH="")
    descriptors = plain.line()
    plain.go_on()
    plain.finish()
    program = run(version, source)
    assert int(program.line()) == int(descriptors) + 1  # the socket
    wait_for(
        lambda: [peer.ended for peer in listener.peers] == [True] * 5 + [False], "the ends of those before"
    )
    assert {peer.pid for peer in listener.peers if peer.hello} == {program.pid}
    program.go_on()
    assert program.finish() == ("", "")
