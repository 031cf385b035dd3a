"""Signals and times: what reaches the app, what ends it, what cuts the end short."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUICK = ("--interval", "200ms", "--quiet")
EARS = """
import os, signal, sys
def hear(number, frame):
    os.write(1, signal.Signals(number).name.encode() + b"\\n")  # print can't be entered twice
    if number == signal.SIGTERM:
        sys.exit(9)
for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, hear)
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_signals_are_passed_on(clean: Any) -> None:
    run = clean.start("run", *QUICK, "--", sys.executable, "-c", EARS)
    assert run.stdout.readline() == "ready\n"
    for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"):
        os.kill(run.pid, signal.Signals[name])
        assert run.stdout.readline() == f"{name}\n"
    result = clean.finish(run)
    assert (result.code, result.err) == (9, "")


def test_an_app_ended_by_a_signal(clean: Any) -> None:
    result = clean.memwarden("run", *QUICK, "--", "sh", "-c", "kill -KILL $$")
    assert result.code == 137


def test_duration_ends_the_whole_tree_and_kills_what_does_not_listen(
    clean: Any, eventually: Callable[..., Any]
) -> None:
    asleep, numb = f"sleep 98{os.getpid()}", f"sleep 99{os.getpid()}"
    tree = clean.start("run", *QUICK, "--duration", "1s", "--", "sh", "-c", f"{asleep} & wait")
    deaf = clean.start("run", *QUICK, "--duration", "1s", "--", "sh", "-c", f"trap '' TERM; {numb}; {numb}")
    begun = time.monotonic()
    assert clean.finish(tree).code == 0
    assert not clean.living(asleep)
    assert clean.finish(deaf).code == 0
    assert time.monotonic() - begun > 10, "it was given its time to end"
    assert not clean.living(numb)


def test_a_pause_of_the_command_itself_is_no_signal(clean: Any) -> None:
    run = clean.start("run", *QUICK, "--", "sh", "-c", "echo up; read line; exit 3")
    assert run.stdout.readline() == "up\n"
    time.sleep(0.3)
    os.kill(run.pid, signal.SIGSTOP)
    time.sleep(1.5)  # longer than it ever waits for a signal
    os.kill(run.pid, signal.SIGCONT)
    run.stdin.write("\n")
    run.stdin.flush()
    result = clean.finish(run)
    assert (result.code, result.err) == (3, "")


@pytest.mark.parametrize("alarm", ["signal.alarm(1)", "os.kill(os.getpid(), signal.SIGALRM)"])
def test_an_alarm_that_is_not_our_own_ends_the_command_as_ever(alarm: str) -> None:
    before, later = (alarm, "") if "getpid" not in alarm else ("", alarm)
    listening = f"""
        import os, signal
        from memwarden.supervise.mailbox import Mailbox
        {before}  # as by whoever started us
        with Mailbox() as mailbox:
            assert mailbox.take(0.01) is None
            {later}
            assert mailbox.take(60) is None
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(listening)], timeout=50, check=False)
    assert ended.returncode == -signal.SIGALRM


def test_a_signal_before_the_start_starts_nothing(clean: Any, eventually: Callable[..., Any]) -> None:
    with socket.create_server(
        ("127.0.0.1", 0)
    ) as silent:  # a database that never answers: the start takes its time
        port = silent.getsockname()[1]
        run = clean.start(
            "run", "--database-url", f"postgresql://127.0.0.1:{port}/x", "--", "echo", "started"
        )
        silent.settimeout(240)
        with silent.accept()[0]:
            os.kill(run.pid, signal.SIGINT)
            result = clean.finish(run)
    assert (result.code, result.out) == (130, "")
    assert result.err == "memwarden: SIGINT came before the command was started; nothing was run\n"


def test_nobody_waits_longer_than_he_wants_and_the_clean_up_is_whole(clean: Any) -> None:
    run = clean.start("run", "--", "sh", "-c", "echo up; read line")
    assert run.stdout.readline() == "up\n"
    sidecar = clean.backend("memwarden_sidecar")
    collector = clean.backend("memwarden_collector")
    os.kill(sidecar, signal.SIGSTOP)  # stopped, they can't end by themselves
    os.kill(collector, signal.SIGSTOP)
    run.stdin.write("\n")
    run.stdin.flush()
    time.sleep(0.5)
    begun = time.monotonic()
    # Until nothing is waited for any more: those that come before the end of the app is noticed are the app's.
    while any(Path(f"/proc/{part}/exe").exists() for part in (sidecar, collector)):
        assert time.monotonic() - begun < 34, "uncut, the flush and the judgement alone have 37 s"
        os.kill(run.pid, signal.SIGINT)
        time.sleep(0.4)
    result = clean.finish(run)
    assert result.code == 0
    assert "no verdict" in result.err
