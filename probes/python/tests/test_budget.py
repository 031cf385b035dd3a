"""The probe keeps to its CPU budget by itself, says so, and its estimates stay right while it does."""

import math
import statistics

import pytest
from small_sidecar import wait_for

VERSIONS = ["3.8", "3.11", "3.13"]
TINY = {"MEMWARDEN_SAMPLING_BYTES": "256"}
DEFAULT = {"MEMWARDEN_CPU_BUDGET": ""}
PORTION, MOST_PORTIONS = 40 << 20, 16
# Allocates without end, and keeps what it is told to: a portion a line, in blocks of 5 kB.
MAD = f"""
    import sys, threading
    kept, wanted = [], 0
    def obey():
        global wanted
        for line in sys.stdin:
            wanted += {PORTION}
    threading.Thread(target=obey, daemon=True).start()
    while wanted >= 0:
        [[n, str(n)] for n in range(2000)]
        if wanted:
            kept += [bytes(5000) for _ in range(wanted // 5000)]
            wanted = 0
            print("kept", flush=True)
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_sampling_is_thinned_to_the_budget_and_the_estimate_stays_right(listener, run, version):
    program = run(version, MAD, **TINY, **DEFAULT)
    table = listener.peer(program.pid).table
    program.go_on()
    assert program.line() == "kept"  # while it is thinned, or before
    header = wait_for(lambda: (h := table.read_header()).thinnings > 0 and h, "thinned")
    assert header.average_bytes > header.wanted_average == 256
    assert header.over_ppm > header.budget_ppm == 20000
    assert not header.switched_off
    portions = 1
    # How far sampling is thinned is the machine's affair: more is kept until five standard errors are 60 % of it.
    while portions < 2 or (portions < MOST_PORTIONS and off_by_chance(table, portions) > 0.6):
        program.go_on()
        assert program.line() == "kept"
        portions += 1
    tolerance = max(0.6, off_by_chance(table, portions))
    found = wait_for(
        lambda: (h := table.read_header()).tick_monotonic_ns > header.tick_monotonic_ns and h, "a tick"
    )
    kept = sum(site.bytes for site in table.read_sites() if any("<module>" in f[1] for f in site.frames))
    tolerance = max(tolerance, off_by_chance(table, portions))
    assert kept == pytest.approx(portions * PORTION, rel=tolerance), found


def off_by_chance(table, portions):
    """Five standard errors of the estimate of all that is kept, as a share of it."""
    return 5 * math.sqrt(table.read_header().average_bytes / (portions * PORTION))


def test_what_is_asked_for_later_does_not_undo_it(listener, run):
    program = run("3.11", MAD, **TINY, **DEFAULT)
    peer = listener.peer(program.pid)
    thinned = wait_for(lambda: (h := peer.table.read_header()).thinnings > 0 and h, "thinned")
    assert "error" not in peer.ask("set_sampling", 5, average_bytes=300)
    # What is obeyed at once is in the table that others see at the probe's next tick.
    after = wait_for(
        lambda: (h := peer.table.read_header()).wanted_average == 300 and h, "what was asked for"
    )
    assert after.average_bytes >= thinned.average_bytes
    assert "error" not in peer.ask("set_sampling", 6, average_bytes=1 << 30)
    wait_for(lambda: peer.table.read_header().average_bytes == 1 << 30, "a longer interval is always obeyed")


@pytest.mark.parametrize("version", VERSIONS)
def test_it_switches_itself_off_when_thinning_is_not_enough(listener, run, version):
    program = run(version, MAD, MEMWARDEN_CPU_BUDGET="0.001", **TINY)
    table = listener.peer(program.pid).table
    header = wait_for(lambda: (h := table.read_header()).switched_off and h, "switched off")
    # It was thinned first: to the longest average, or until ticks and looks alone were five times too dear.
    assert header.thinnings > 0
    assert header.over_ppm > header.budget_ppm == 10
    assert (header.live_samples, table.read_sites()) == (0, [])
    taken = header.samples_taken
    program.go_on()
    assert program.line() == "kept"  # the program goes on, unobserved
    assert table.read_header().samples_taken == taken


@pytest.mark.parametrize("budget", ["off", "100"])
def test_without_a_budget_nothing_is_thinned(listener, run, budget):
    program = run("3.11", MAD, MEMWARDEN_CPU_BUDGET=budget, **{"MEMWARDEN_SAMPLING_BYTES": "4096"})
    table = listener.peer(program.pid).table
    first = wait_for(lambda: (h := table.read_header()).ticks > 2 and h, "ticks")
    wait_for(lambda: table.read_header().ticks > first.ticks + 8, "two seconds")
    header = table.read_header()
    assert header.average_bytes == 4096 or header.rate_doublings
    assert (header.thinnings, header.switched_off) == (0, False)
    assert 0 < header.own_cost_ns < 1e10


def test_a_dear_census_has_to_be_earned(listener, run):
    program = run(
        "3.11",
        """
        import time
        kept = [[] for _ in range(500_000)]
        print("ready", flush=True)
        while True:
            time.sleep(0.02); bytes(1000)
        """,
        **DEFAULT,
    )
    program.line()
    peer = listener.peer(program.pid)
    assert peer.ask("census", 1, top=3)["result"]["objects"] > 500_000
    assert peer.ask("census", 2, top=3)["error"]["code"] == -32002
    assert peer.table.read_header().own_cost_ns > 1_000_000, "the census is in the account"


def test_a_child_has_an_account_of_its_own(listener, run):
    program = run(
        "3.11",
        """
        import os, select, sys, time
        for _ in range(300): [[n, str(n)] for n in range(2000)]
        print("worked", flush=True)
        while not select.select([0], [], [], 0.02)[0]: bytes(1000)
        if os.fork() == 0:
            for _ in range(10): [[n, str(n)] for n in range(2000)]
            while True: time.sleep(0.02); bytes(1000)
        time.sleep(600)
        """,
        **TINY,
        MEMWARDEN_CPU_BUDGET="off",
    )
    parent = listener.peer(program.pid).table
    assert program.line() == "worked"
    ticks = parent.read_header().ticks
    own = wait_for(
        lambda: (h := parent.read_header()).ticks > ticks + 1 and h.own_cost_ns, "the parent's account"
    )
    program.go_on()
    child = wait_for(
        lambda: next((p for p in listener.peers if p.hello and p.pid != program.pid), None), "child"
    )
    header = wait_for(lambda: (h := child.table.read_header()).ticks > 0 and h, "a tick of the child")
    assert header.fork_ms > 0
    assert header.own_cost_ns < own / 3, "of a child that did a thirtieth of its parent's work"


KEEPING = """
    import sys
    kept = []
    for turn in range(1500):
        kept.append([bytes(3000) for _ in range(10)])
        [[n, str(n)] for n in range(2000)]
    print("kept", flush=True)
    while True:
        [[n, str(n)] for n in range(2000)]
"""


@pytest.mark.nightly
def test_thinning_while_memory_is_kept_leaves_the_estimate_unbiased(listener, run, record_property):
    ratios, truth = [], 1500 * 10 * 3033
    for number in range(12):
        program = run("3.13", KEEPING, **TINY, **DEFAULT)
        table = listener.peer(program.pid).table
        assert program.line() == "kept"
        ticks = table.read_header().ticks
        wait_for(lambda table=table, ticks=ticks: table.read_header().ticks > ticks + 1, "two ticks")
        assert table.read_header().thinnings > 0, number
        ratios.append(sum(site.bytes for site in table.read_sites()) / truth)
        program.process.kill()
    mean = statistics.fmean(ratios)
    record_property("estimated over true, mean of 12", round(mean, 3))
    assert mean == pytest.approx(1, abs=0.05), ratios  # one run is off by about 0.035
