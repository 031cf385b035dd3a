"""The probes' socket against peers that behave badly. The sidecar goes on, and says what it refused."""

import fcntl
import json
import os
import socket
import time
from contextlib import suppress

import pytest
from waiting import wait_for

from memwarden_api import names


def counts(run) -> dict[str, int]:
    """What the sidecar counted, when it has ended."""
    assert run.stop() == 0
    return run.counts()


def open_descriptors(run) -> int:
    """All but the files of /proc and /sys, which a tick opens for a moment."""
    folder = f"/proc/{run.process.pid}/fd"
    found = 0
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):  # closed meanwhile
            found += not os.readlink(f"{folder}/{name}").startswith(("/proc/", "/sys/"))
    return found


def assert_comes_to(run, descriptors: int) -> None:
    """It hangs up before it has closed what came with a message, or took the message in: a moment later it has."""
    wait_for(lambda: open_descriptors(run) == descriptors, what=f"{descriptors} open descriptors")


def is_well(run, fake_probe) -> bool:
    """Whether a proper hello is answered."""
    probe = fake_probe(run.socket)
    probe.hello()
    return probe.answer()["id"] == 1


@pytest.fixture
def run(sidecar, receiver):
    """A sidecar that has its connection to the collector already: its descriptors can be counted."""
    running = sidecar("--log-level", "info")
    wait_for(lambda: len(receiver.requests) >= 2, what="the connection to the collector")
    return running


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe\x00garbage\n", "not-json"),
        (b"GET / HTTP/1.1\r\n\r\n", "not-json"),
        (b"[" * 60_000 + b"\n", "not-json"),
        (b"[1]\n", "not-an-object"),
        (b'{"method": "census"}\n', "no-hello"),
        (b'{"method": "hello", "params": []}\n', "bad-hello"),
        (b'{"method": "hello", "params": {"protocol": 99}}\n', "protocol"),
        (b"x" * (80 << 10), "long-line"),
    ],
)
def test_garbage_closes_its_connection_and_is_counted(run, fake_probe, line, reason):
    probe = fake_probe(run.socket)
    probe.send(line)
    assert probe.is_hung_up_on()
    assert is_well(run, fake_probe)
    assert counts(run)[f"refused:{reason}"] == 1


def test_a_huge_line_after_hello(run, fake_probe):
    probe = fake_probe(run.socket)
    probe.hello()
    probe.answer()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        probe.send(b"y" * (4 << 20))
    assert counts(run)["refused:long-line"] == 1


def test_a_hello_in_pieces_is_put_together(run, fake_probe):
    probe = fake_probe(run.socket)
    parameters = {"protocol": 1, "pid": 1, "capabilities": [], "runtime": "cpython", "reason": "slow"}
    line = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "hello", "params": parameters}).encode() + b"\n"
    for start in range(0, len(line), 7):
        probe.send(line[start : start + 7])
        time.sleep(0.002)
    assert probe.answer() == {"jsonrpc": "2.0", "id": 5, "result": {}}


def test_sites_without_a_descriptor(run, fake_probe):
    probe = fake_probe(run.socket)
    probe.hello(capabilities=["sites"])
    assert probe.is_hung_up_on()
    assert counts(run)["refused:no-table"] == 1


def memory_file(size: int, seal: bool) -> int:
    descriptor = os.memfd_create("table", os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    if seal:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor


@pytest.mark.parametrize(
    "make",
    [
        lambda: os.open("/dev/null", os.O_RDONLY),
        lambda: os.open(__file__, os.O_RDONLY),
        lambda: memory_file(4096, seal=False),
        lambda: memory_file(4096, seal=True),
        lambda: memory_file(16 << 20, seal=True),
        lambda: os.pipe()[0],
    ],
    ids=["device", "file", "not sealed", "too small", "zeros", "pipe"],
)
def test_a_descriptor_that_is_no_table(run, fake_probe, make):
    descriptor = make()
    before = open_descriptors(run)
    probe = fake_probe(run.socket)
    probe.hello(descriptor, capabilities=["sites"])
    os.close(descriptor)
    assert probe.is_hung_up_on()
    assert_comes_to(run, before)
    assert counts(run)["refused:bad-table"] == 1


def test_unexpected_descriptors_are_closed(run, fake_probe):
    before = open_descriptors(run)
    null = os.open("/dev/null", os.O_RDONLY)
    probe = fake_probe(run.socket)
    probe.hello(null, null, null)
    probe.answer()
    probe.send(b'{"jsonrpc":"2.0","id":7,"result":{}}\n', null)
    wait_for(probe.is_read, what="the message to be read")
    assert_comes_to(run, before + 1)
    crowd = fake_probe(run.socket)
    crowd.hello(*[null] * 100)
    assert crowd.is_hung_up_on()
    assert_comes_to(run, before + 1)
    os.close(null)
    seen = counts(run)
    assert seen["unexpected-descriptors"] >= 4
    assert seen["refused:too-many-descriptors"] == 1


def test_a_thousand_silent_connections_keep_no_probe_out(run, fake_probe):
    crowd = []
    for _ in range(1000):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.connect(str(run.socket))
        crowd.append(one)
    assert is_well(run, fake_probe)
    assert open_descriptors(run) < 300
    for one in crowd:
        one.close()
    assert counts(run)["refused:gave-way"] >= 1000 - 256


def test_the_pid_is_the_kernels_word_not_the_peers(run, fake_probe, receiver):
    from_test = fake_probe(run.socket)
    from_test.hello(pid=1)
    from_test.answer()
    found = wait_for(lambda: receiver.processes().get(os.getpid()), what="this process")
    assert found[names.PROBE_STATE] == names.PROBE_STATE_OUTSIDE
    assert found[names.PROBE_REASON] == "a test"
    assert 1 not in receiver.processes()


def test_a_second_sidecar_does_not_take_the_socket_and_a_dead_ones_is_taken(sidecar, fake_probe):
    first = sidecar()
    second = sidecar()
    assert second.process.wait(60) == names.EXIT_FAILED
    assert "another sidecar listens" in second.text()
    assert is_well(first, fake_probe)
    first.process.kill()
    first.process.wait()
    assert first.socket.exists()
    third = sidecar()
    assert is_well(third, fake_probe)
    assert third.stop() == 0
    assert not third.socket.exists()
