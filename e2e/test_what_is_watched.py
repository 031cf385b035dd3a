"""What a run sees of programs of every kind, and what it says of those that it can only watch from outside."""

import stat
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from harness import Finished, Run, interpreter

SECONDS = 12
KEEPING = """
import time
kept = []
for turn in range(110):
    kept.append([str(turn * n) for n in range(2000)])
    time.sleep(0.1)
"""
FORKING = """
import os, time
kept = [str(n) for n in range(20000)]
if os.fork() == 0:
    mine = []
    for turn in range(80):
        mine.append([str(turn * n) for n in range(5000)])
        time.sleep(0.1)
    os._exit(0)
time.sleep(10)
"""
KEEPING_OUT = "".join(f"'{sys.executable}' {option} keeping.py & " for option in ("-I", "-E", "-S")) + "wait"
REPLACING = "import os, sys; os.execv(sys.executable, [sys.executable, 'keeping.py'])"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    """Run all of them at the same time; each takes a few seconds and hardly any CPU time."""
    folder = tmp_path_factory.mktemp("watched")
    code = folder / "code"
    code.mkdir()
    (code / "keeping.py").write_text(KEEPING)
    (code / "forking.py").write_text(FORKING)
    shebang = code / "program"
    shebang.write_text(f"#!{sys.executable}\n{KEEPING}")
    shebang.chmod(shebang.stat().st_mode | stat.S_IXUSR)
    commands = {
        "script": [sys.executable, "keeping.py"],
        "module": [sys.executable, "-m", "keeping"],
        "shebang": ["./program"],
        "shell": ["sh", "-c", f"'{sys.executable}' keeping.py; true"],
        "fork": [sys.executable, "forking.py"],
        "exec": [sys.executable, "-c", REPLACING],
        "not python": ["sleep", "10"],
        "kept out": ["sh", "-c", KEEPING_OUT],
        "silent": [sys.executable, "-c", "import signal; signal.pause()"],
        "ends at once": ["true"],
        "fails at once": ["sh", "-c", "exit 7"],
        "python 3.13": [interpreter("3.13"), "keeping.py"],
        "python 3.7": [interpreter("3.7"), "keeping.py"],
        "python 2.7": [interpreter("2.7"), "keeping.py"],
    }
    with ExitStack() as stack:
        runs = {}
        for name, command in commands.items():
            if command[0] is not None:
                options = ["--duration", f"{SECONDS}s", "--sampling", "64KiB", "--quiet"]
                runs[name] = Run(folder / name, options, [str(part) for part in command], cwd=code)
                stack.callback(runs[name].end)
        return {name: run.wait(timeout=400) for name, run in runs.items()}


def of(finished: dict[str, Finished], name: str) -> Finished:
    if name not in finished:
        pytest.skip(f"no {name} on this machine")
    return finished[name]


@pytest.mark.parametrize("name", ["script", "module", "shebang", "shell", "exec", "python 3.13"])
def test_a_python_program_is_hooked_however_it_is_started(finished: dict[str, Finished], name: str) -> None:
    run = of(finished, name)
    hooked = [process for process in run.verdict["processes"] if process["probe"] == "hooked"]
    assert hooked, run.verdict["processes"]
    assert hooked[-1]["runtime"].startswith("cpython 3.")
    assert "keeping.py" in {Path(site["file"]).name for site in run.verdict["sites"]} or name == "shebang"


def test_a_forked_child_has_its_own_sites_and_the_shared_ones_stay_with_the_parent(
    finished: dict[str, Finished],
) -> None:
    verdict = finished["fork"].verdict
    assert len([process for process in verdict["processes"] if process["probe"] == "hooked"]) == 2
    lines = {(site["pid"], site["line"]) for site in verdict["sites"]}
    parent = next(p["pid"] for p in verdict["processes"] if p["command"].endswith("forking.py"))
    assert (parent, 5) not in lines, "the child's own objects are counted to the parent"


@pytest.mark.parametrize(("name", "said"), [("not python", ""), ("python 3.7", "3.7"), ("python 2.7", "")])
def test_what_has_no_hook_is_watched_from_outside_and_the_report_says_so(
    finished: dict[str, Finished], name: str, said: str
) -> None:
    run = of(finished, name)
    assert run.stdout == ""
    assert run.stderr == ""
    (process,) = run.verdict["processes"]
    assert process["probe"] == "outside"
    assert process["probe_reason"] != ""
    assert said in process["probe_reason"] or said in process["runtime"]
    assert process["anon_bytes"] > 0


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_a_python_that_keeps_the_probe_out_is_named_with_its_option(
    finished: dict[str, Finished], option: str
) -> None:
    processes = finished["kept out"].verdict["processes"]
    (process,) = (one for one in processes if one["command"].endswith(f" {option} keeping.py"))
    assert process["probe"] == "outside"
    assert f"started with {option}" in process["probe_reason"]
    assert process["anon_bytes"] > 0


def test_a_program_that_allocates_nothing_is_said_to_be_silent(finished: dict[str, Finished]) -> None:
    (process,) = finished["silent"].verdict["processes"]
    assert process["probe"] == "hooked"
    assert "no allocations since 2" in process["probe_reason"]
    (busy,) = finished["script"].verdict["processes"]
    assert busy["probe_reason"] == ""


@pytest.mark.parametrize(("name", "code"), [("ends at once", 0), ("fails at once", 7)])
def test_a_program_that_ends_at_once_still_gets_a_whole_report(
    finished: dict[str, Finished], name: str, code: int
) -> None:
    run = finished[name]
    assert run.exit_code == code
    assert run.report["app_exit_code"] == code
    assert run.verdict["verdict"] in {"Unknown", "WarmingUp"}
    assert run.verdict["reason"] != ""


def test_a_run_leaves_nothing_behind(finished: dict[str, Finished]) -> None:
    ours = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            ours.append(file.read_bytes())
    scopes = {run.verdict["scope"].encode() for run in finished.values()}
    assert not [line for line in ours if any(scope in line for scope in scopes)]
