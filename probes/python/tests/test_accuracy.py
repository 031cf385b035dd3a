"""Do the estimates agree with what was asked of the allocator, and do they name the right lines?"""

import math

import interpreters
import pytest
from small_sidecar import wait_for

KEEP = """
    import sys
    kept = [bytes(4000) for _ in range(80_000)]       # about 320 MB
    print(sum(map(sys.getsizeof, kept)), flush=True)
    sys.stdin.readline()
    """

SHAPES = """
    import sys

    def dicts():
        return [
            {i: i}
            for i in range(20_000)
        ]

    def lists():
        kept = []
        for i in range(20_000):
            kept.append([i] * 20)
        return kept

    def strings():
        kept = []
        for i in range(20_000):
            kept.append("x" * 500 + str(i))
        return kept

    def numbers():
        for i in range(20_000):
            yield bytearray(600)

    def straße_запись():
        kept = []
        for i in range(20_000):
            kept.append(bytearray(700))
        return kept

    kept = [dicts(), lists(), strings(), list(numbers()), straße_запись()]
    print("ready", flush=True)
    sys.stdin.readline()
    """


def leaf_bytes(sites):
    """Estimated bytes by (function, line) of the innermost frame."""
    sums = {}
    for site in sites:
        if site.frames:
            key = site.frames[0][1:]
            sums[key] = sums.get(key, 0.0) + site.bytes
    return sums


@pytest.mark.parametrize("version", interpreters.HOOKED)
@pytest.mark.parametrize("average", [524288, 65536])
def test_estimate_is_within_five_standard_errors(listener, run, version, average):
    if version not in interpreters.REQUIRED and average == 524288:
        pytest.skip("one rate is enough for this version")
    program = run(version, KEEP, MEMWARDEN_SAMPLING_BYTES=str(average))
    truth = int(program.line())
    table = listener.peer(program.pid).table
    found = sum(site.bytes for site in table.read_sites() if any(f[2] == 3 for f in site.frames))
    assert abs(found / truth - 1) < 5 * math.sqrt(average / truth)  # chance exceeds it once in two million


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_names_the_right_lines(listener, run, version):
    program = run(version, SHAPES, MEMWARDEN_SAMPLING_BYTES="4096")
    program.line()
    table = listener.peer(program.pid).table
    sums = leaf_bytes(table.read_sites())
    qualified = version not in ("3.8", "3.9", "3.10")
    comprehension = {"3.12": "dicts", "3.13": "dicts", "3.14": "dicts"}.get(
        version, "dicts.<locals>.<listcomp>" if qualified else "<listcomp>"
    )
    expected = {
        (comprehension, 6): 20_000 * 200,
        ("lists", 13): 20_000 * 200,
        ("strings", 19): 20_000 * 540,
        ("numbers", 24): 20_000 * 650,
        ("straße_запись", 29): 20_000 * 750,
    }
    for place, size in expected.items():
        assert sums.get(place, 0) > size / 2, (place, sums)


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_what_is_freed_is_gone(listener, run, version):
    source = """
    import sys
    def hold():
        return [bytes(4000) for _ in range(5_000)]
    for _ in range(3):
        kept = hold()
        del kept
    print("ready", flush=True)
    sys.stdin.readline()
    """
    program = run(version, source, MEMWARDEN_SAMPLING_BYTES="4096")
    program.line()
    table = listener.peer(program.pid).table
    assert table.read_header().samples_taken > 5_000
    held = [site for site in table.read_sites() if any("hold" in frame[1] for frame in site.frames)]
    assert sum(site.bytes for site in held) == 0


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_functions_that_died_give_their_lines_to_nobody(listener, run, version):
    source = """
    import sys
    kept = []
    for i in range(3_000):
        space = {}
        exec("\\n" * (i % 50) + "def made_%d():\\n    return bytes(9000)" % i, space)
        kept.append(space["made_%d" % i]())
        del space
    print("ready", flush=True)
    sys.stdin.readline()
    """
    program = run(version, source, MEMWARDEN_SAMPLING_BYTES="2048")
    program.line()
    table = listener.peer(program.pid).table
    seen = 0
    for site in table.read_sites():
        file, function, line = site.frames[0] if site.frames else ("", "", 0)
        if function.startswith("made_") and site.bytes > 9000:
            seen += 1
            assert (file, line) == ("<string>", int(function[5:]) % 50 + 2)
    assert seen > 2_500


def test_a_full_table_lowers_its_rate_and_stays_right(listener, run):
    source = """
    import sys
    kept = [bytes(400) for _ in range(300_000)]
    print(sum(map(sys.getsizeof, kept)), flush=True)
    sys.stdin.readline()
    """
    program = run("3.11", source, MEMWARDEN_SAMPLING_BYTES="256")
    truth = int(program.line())
    table = listener.peer(program.pid).table
    header = table.read_header()
    assert header.rate_doublings > 0
    assert header.dropped_samples == 0
    found = sum(site.bytes for site in table.read_sites() if site.frames and site.frames[-1][2] == 3)
    assert abs(found / truth - 1) < 0.03


def test_the_sidecar_sets_the_rate(listener, run):
    listener.average_bytes = 8192
    program = run(
        "3.11", "import sys\nfor line in sys.stdin:\n    kept = [bytes(999) for _ in range(9999)]\n"
    )
    table = listener.peer(program.pid).table

    def obeyed():
        program.go_on()
        return table.read_header().average_bytes == 8192

    wait_for(obeyed, "the sampling rate of hello's answer")
    listener.average_bytes = None
    peer = listener.peer(program.pid)
    peer.send({"id": 9, "method": "set_sampling", "params": {"average_bytes": 16384}})
    wait_for(lambda: program.go_on() or table.read_header().average_bytes == 16384, "the new rate")
    wait_for(lambda: {"jsonrpc": "2.0", "id": 9, "result": {}} in peer.messages, "the answer")
