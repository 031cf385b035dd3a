"""The probe's tests once more, with interpreters that few machines have: Debian's of other releases, other C
libraries and machines, debug and free-threaded builds. docs/reference/where-the-probe-runs.md says what that proves.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cpython_builds
import debian
import pytest

LONG = 5400  # seconds: the first time, an interpreter is built
HERE = Path(__file__).resolve().parent
TOOLS = HERE.parents[2] / "tools"
# A file with a shebang, and the link in a virtual environment, are followed by the kernel outside of the chroot.
CHROOT_NOT = "not virtual"
# The emulator starts no second program of its machine by itself, and its own pages and thread count as the program's.
EMULATOR_NOT = " and ".join(
    f"not {name}"
    for name in (
        "exec_starts_anew", "multiprocessing", "short_children", "keeps_sharing", "test_stress", "test_invisible",
        "test_account", "function_before_its_exec", "replaces_itself", "tasks_of_asyncio",
    )
)  # fmt: skip


# These install servers and tools from PyPI, which has them ready for the interpreters of `make test` only.
WITH_PACKAGES = ("test_servers.py",)

# A debug build tells each descriptor that the program left open, and imports the codecs that it is asked to check.
DEBUG_NOT = f"{CHROOT_NOT} and not closing_every_descriptor and not test_account"


def the_probes_tests(folder, *options):
    """Run them with the interpreters in ``folder``, and no others, and zig's object."""
    subprocess.run(["sh", str(TOOLS / "zig.sh")], check=True)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", str(HERE)]
    command += [f"--ignore={HERE / name}" for name in WITH_PACKAGES]
    done = subprocess.run(
        [*command, "-m", "not system and not nightly", *options],
        env={**plain, "MEMWARDEN_TEST_PYTHONS": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]
    assert " passed" in done.stdout


def build_for(target):
    """The native object of another machine or C library, beside this machine's own."""
    subprocess.run(["sh", str(TOOLS / "zig.sh")], check=True)
    subprocess.run([sys.executable, str(HERE.parent / "build.py"), "--target", target], check=True)


def with_debians_interpreter(folder, release, executable, *options):
    debian.launcher(debian.RELEASES[f"{release}-x86_64"], executable, folder)
    the_probes_tests(folder, *options)


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_newest_version_of_debian(tmp_path):
    with_debians_interpreter(tmp_path, "forky", "python3.14", "-k", CHROOT_NOT)


OTHER_RELEASES = [("bullseye", "python3.9"), ("trixie", "python3.13")]


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("release", "executable"), OTHER_RELEASES)
def test_what_depends_on_the_version_with_others_of_debian(tmp_path, release, executable):
    files = "test_versions or test_accuracy or test_census or test_holdings"
    with_debians_interpreter(tmp_path, release, executable, "-k", f"({files}) and {CHROOT_NOT}")


@pytest.mark.nightly
@pytest.mark.parametrize(("release", "executable"), OTHER_RELEASES)
def test_all_with_others_of_debian(tmp_path, release, executable):
    with_debians_interpreter(tmp_path, release, executable, "-k", CHROOT_NOT)


def says_why(run, listener, interpreter, reason):
    """It runs as ever, has no hook, and says so."""
    program = run(None, "print([{} for _ in range(3)])", interpreter=interpreter)
    assert program.finish() == ("[{}, {}, {}]\n", "")
    hello = listener.peer(program.pid).hello["params"]
    assert hello["capabilities"] == []
    assert reason in hello["reason"]


@pytest.mark.system
@pytest.mark.slow
def test_a_version_that_came_after_the_probe(run, listener, tmp_path):
    interpreter = debian.launcher(debian.RELEASES["forky-x86_64"], "python3.15", tmp_path / "pythons")
    says_why(run, listener, interpreter, "Python 3.15 is not supported by this probe (3.8 to 3.14 are)")


LEAKING = """
import time
kept = []
for turn in range(80):
    kept.append([str(turn * n) for n in range(2000)])
    time.sleep(0.1)
"""


def verdict_on(interpreter, folder):
    """What `memwarden run` reports of a small program on this interpreter."""
    script = folder / "leak.py"
    script.write_text(LEAKING)
    command = [sys.executable, "-m", "memwarden", "run", "--quiet", "--report", str(folder / "report.json")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    subprocess.run([*command, "--", interpreter, str(script)], env=plain, cwd=folder, check=True, timeout=120)
    (verdict,) = json.loads((folder / "report.json").read_text())["verdicts"]
    return verdict


@pytest.mark.system
@pytest.mark.slow
def test_the_line_on_314_and_the_reason_on_a_later_one_stand_in_the_report(tmp_path):
    release = debian.RELEASES["forky-x86_64"]
    hooked = verdict_on(debian.launcher(release, "python3.14", tmp_path / "pythons"), tmp_path)
    assert ("leak.py", 5) in {(Path(site["file"]).name, site["line"]) for site in hooked["sites"]}
    outside = verdict_on(debian.launcher(release, "python3.15", tmp_path / "pythons"), tmp_path)
    (process,) = outside["processes"]
    assert process["probe"] == "outside"
    assert "Python 3.15 is not supported" in process["probe_reason"]
    assert process["anon_bytes"] > 0


@pytest.mark.nightly
@pytest.mark.timeout(LONG)
def test_a_free_threaded_build(run, listener, tmp_path):
    interpreter = cpython_builds.interpreter("free-threaded")
    says_why(run, listener, interpreter, "free-threaded builds are not supported yet")
    (process,) = verdict_on(str(interpreter), tmp_path)["processes"]
    assert process["probe"] == "outside"
    assert "free-threaded" in process["probe_reason"]


@pytest.mark.nightly
@pytest.mark.timeout(LONG)
def test_a_static_build_that_can_load_nothing(run, listener):
    build_for("x86_64-musl")
    says_why(run, listener, cpython_builds.interpreter("static"), "the hook could not be loaded")


@pytest.mark.nightly
@pytest.mark.timeout(LONG)
def test_on_musl(tmp_path):
    build_for("x86_64-musl")
    (tmp_path / "python3.13").symlink_to(cpython_builds.interpreter("musl"))
    the_probes_tests(tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(LONG)
@pytest.mark.parametrize(
    ("release", "executable"), [("bookworm", "python3.11"), ("trixie", "python3.13"), ("forky", "python3.14")]
)
def test_on_arm64_in_an_emulator(tmp_path, release, executable):
    build_for("aarch64-glibc")
    debian.launcher(debian.RELEASES[f"{release}-aarch64"], executable, tmp_path)
    the_probes_tests(tmp_path, "-k", EMULATOR_NOT)


@pytest.mark.nightly
@pytest.mark.timeout(LONG)
def test_debug_builds(tmp_path):
    """CPython's own assertions are on there, and freed memory is overwritten."""
    debian.launcher(debian.RELEASES["forky-x86_64"], "python3.14-dbg", tmp_path, name="python3.14")
    if shutil.which("python3.11-dbg"):
        (tmp_path / "python3.11").symlink_to(shutil.which("python3.11-dbg"))
    the_probes_tests(tmp_path, "-k", DEBUG_NOT)
