"""kill −9 of our own parts: each is started again, the app never notices, and what was lost has a number."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from faults.watched_run import PARTS, WatchedRun, assert_each_once, wait_for

Start = Callable[..., WatchedRun]
PHASE_SECONDS = 0.6


def test_each_part_killed_in_the_middle_of_a_run(watched: Start) -> None:
    run = watched()
    run.await_app()
    for part in PARTS:
        time.sleep(PHASE_SECONDS)
        run.await_another(part, run.hurt(part))
    time.sleep(2 * PHASE_SECONDS)
    finished = run.finish()
    finished.assert_undisturbed()
    finished.assert_accounted_for()
    assert_each_once(run.keep)
    for part in PARTS:
        (fault,) = finished.faults(part)
        assert (fault.how, fault.started_again) == ("signal SIGKILL", True)
        assert (
            f"The {part} ended while the command ran (signal SIGKILL) and was started again" in finished.err
        )
    assert finished.report.verdicts[0].processes, "what was known before is still there"


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_a_part_killed_after_the_app_has_ended(watched: Start, part: str) -> None:
    run = watched()
    run.await_app()
    time.sleep(2)
    assert run.process.stdin is not None
    pid = run.pid_of(part)
    run.process.stdin.close()
    run.process.stdin = None
    app_is_over = run.process.stdout
    assert app_is_over is not None
    assert app_is_over.readline().startswith("worked")
    with suppress(ProcessLookupError):  # the sidecar may have ended by itself
        os.kill(pid, signal.SIGKILL)
    finished = run.finish()
    assert (finished.report.app_exit_code, finished.code) == (3, 3), finished.err
    finished.assert_accounted_for()
    assert finished.report.verdicts[0].processes, finished.err


def test_all_parts_killed_at_once(watched: Start) -> None:
    run = watched()
    run.await_app()
    time.sleep(2)
    before = {part: run.hurt(part) for part in PARTS}
    for part, pid in before.items():
        run.await_another(part, pid)
    run.await_another("sidecar", run.hurt("sidecar", signal.SIGABRT))
    time.sleep(1)
    finished = run.finish()
    finished.assert_undisturbed()
    finished.assert_accounted_for()
    assert_each_once(run.keep)
    assert [fault.how for fault in finished.faults("sidecar")] == ["signal SIGKILL", "signal SIGABRT"]
    assert "The sidecar ended 2 times while the command ran (signal SIGKILL, signal SIGABRT)" in finished.err


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(12))
def test_parts_killed_at_random_moments_again_and_again(watched: Start, seed: int) -> None:
    chance = random.Random(seed)
    run = watched()
    run.await_app()
    kills = 0
    until = time.monotonic() + 40
    while time.monotonic() < until:
        time.sleep(chance.uniform(0, 6))
        part = chance.choice(list(PARTS))
        pid = run.hurt(part)
        kills += 1
        wait_for(lambda part=part, pid=pid: run.pid_of(part) != pid, f"another {part}")
    finished = run.finish()
    finished.assert_undisturbed()
    finished.assert_accounted_for()
    assert_each_once(run.keep)
    killed = [fault for fault in finished.report.faults if fault.how == "signal SIGKILL"]
    assert len(killed) == kills
    # A collector that is just starting, on a database that is killed then, gives up by itself.
    assert {fault.part for fault in finished.report.faults if fault not in killed} <= {"collector"}
    assert all(fault.started_again for fault in finished.report.faults)


@pytest.mark.system
@pytest.mark.slow
def test_the_sidecar_stopped_for_a_minute(watched: Start) -> None:
    run = watched()
    run.await_app()
    time.sleep(2)
    pid = run.hurt("sidecar", signal.SIGSTOP)
    time.sleep(60)
    run.hurt("sidecar", signal.SIGCONT)
    assert run.pid_of("sidecar") == pid, "it was not killed, so it is not started again"
    time.sleep(2)
    finished = run.finish()
    finished.assert_undisturbed()
    finished.assert_accounted_for()
    assert_each_once(run.keep)
    assert finished.report.faults == ()


@pytest.mark.slow
@pytest.mark.system
def test_a_sidecar_that_stays_stopped(watched: Start) -> None:
    run = watched()
    run.await_app()
    time.sleep(2)
    run.hurt("sidecar", signal.SIGSTOP)
    time.sleep(1)
    finished = run.finish()
    finished.assert_undisturbed()
    assert "did not finish its last flush" in finished.err
    finished.assert_accounted_for()
