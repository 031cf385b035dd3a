"""Commands that a program runs now and then are neither it nor its restarts."""

from dataclasses import replace

import numpy as np
from eager import replay

from memwarden_core.examination import examine
from memwarden_core.recording import Recording
from memwarden_core.settings import JudgeSettings
from memwarden_core.synthetic import MB, Shape, SyntheticProcess, SyntheticSite, constant, for_ever, record
from memwarden_core.verdict import Kind

TICKS = 220


def with_commands(lives_ticks: float) -> Recording:
    """A leak, and every fifteen ticks a child that is as large as its parent: a fork before it became a command."""
    leak = SyntheticProcess([SyntheticSite("keep", constant(0.8 * MB), for_ever)], 30 * MB)
    children = [
        SyntheticProcess((), 200 * MB, begin, begin + lives_ticks, hooked=False)
        for begin in np.arange(12.0, TICKS - 10, 15)
    ]
    return record(Shape([leak, *children]), TICKS, 5)


def test_a_program_that_runs_commands_is_found_to_leak() -> None:
    for ticks in (1, 6):
        *_, verdict = replay(with_commands(ticks))
        assert verdict.kind is Kind.LEAKING, ticks
        assert verdict.sites[0].function == "keep"


def test_a_worker_that_served_for_long_is_a_restart_still() -> None:
    first = SyntheticProcess([SyntheticSite("keep", constant(0.8 * MB), for_ever)], 60 * MB, 0, 100)
    second = SyntheticProcess([SyntheticSite("keep", constant(0.8 * MB), for_ever)], 60 * MB, 100)
    recording = record(Shape([first, second]), 150, 5)
    segment = examine(recording, recording.ended, JudgeSettings()).segment
    assert segment is not None
    assert segment.cause == "restart"


def test_nothing_is_taken_out_for_whoever_has_gone() -> None:
    """Sums and processes are read at one moment; a late one must not bring back who ended before it."""
    recording = with_commands(1)
    late = {
        key: replace(one, time=np.where(np.arange(one.time.size) % 2 == 0, one.time, one.time - 0.3))
        for key, one in recording.series.items()
    }
    signal = examine(replace(recording, series=late), recording.ended, JudgeSettings()).signal
    assert signal is not None
    assert float(signal.anon.min()) > 25 * MB
