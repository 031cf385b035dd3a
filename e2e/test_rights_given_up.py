"""A program of root that gives up its rights, as servers do: its processes are known before and after, and what lies
in the run's folder stays closed to them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Finished, Run, interpreter

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which alone can give up rights"),
]

NOBODY = 65534
PROGRAM = f"""
import os, socket, time

door = os.environ["MEMWARDEN_SOCKET"]
folder = os.path.dirname(os.path.dirname(door))
files = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
kept = []

def work(seconds, keep):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        keep()
        time.sleep(0.05)

def in_parent():
    kept.append([str(n) for n in range(3000)])

def in_child():
    kept.append([str(n) for n in range(3000)])

os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})

def can(what, *arguments):
    try:
        what(*arguments)
    except PermissionError:
        return False
    return True

assert len(files) > 5
print("listed", [path for path in (folder, os.path.dirname(door)) if can(os.listdir, path)])
print("read", [path for path in files if path != door and can(open, path, "rb")])
print("made", can(open, os.path.join(folder, "new"), "wb"), can(open, os.path.join(os.path.dirname(door), "new"), "wb"))
print("called", can(socket.socket(socket.AF_UNIX).connect, door), flush=True)

child = os.fork()          # after the rights are gone
work(6, in_parent if child else in_child)
if child:
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module", params=["3.11", "3.13"])
def finished(request: pytest.FixtureRequest) -> Iterator[Finished]:
    python = interpreter(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} on this machine")
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))
    temporary.chmod(0o755)  # pytest's own folders are closed to other users
    (temporary / "program.py").write_text(PROGRAM)
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(temporary)
    try:
        run = Run(
            temporary / "run",
            ["--interval", "200ms", "--sampling", "64KiB", "--quiet"],
            [python, str(temporary / "program.py")],
        )
        yield run.wait(timeout=400)
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
        shutil.rmtree(temporary)


def test_both_processes_are_known_with_their_sites(finished: Finished) -> None:
    assert finished.exit_code == 0, finished.stderr
    processes = finished.verdict["processes"]
    assert [process["probe"] for process in processes] == ["hooked", "hooked"]
    found = {site["function"].partition(".")[0]: site["pid"] for site in finished.verdict["sites"]}
    parent, child = (process["pid"] for process in processes)
    assert (found["in_parent"], found["in_child"]) == (parent, child)


def test_nothing_but_the_socket_can_be_reached(finished: Finished) -> None:
    assert finished.stdout.splitlines() == ["listed []", "read []", "made False False", "called True"]
