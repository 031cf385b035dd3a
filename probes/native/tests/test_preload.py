"""The loader in real programs: what it changes in a Python process, and that it changes nothing else anywhere."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import interpreters
import pytest

from memwarden_api.names import ENV_PRELOAD_PYTHONPATH

SEEN = "import json, os, sys; print(json.dumps([os.environ.get('PYTHONPATH'), hasattr(sys, 'injected')]))"
PRINT_ENVIRONMENT = """
#include <stdio.h>
#include <stdlib.h>
extern char **environ;
int main(void) {
    const char *value = getenv("PYTHONPATH");
    printf("%s\\n", value ? value : "(unset)");
    return 0;
}
"""


def seen(container, *command, **variables):
    """PYTHONPATH as the program has it, and whether the folder's sitecustomize has run."""
    path, injected = json.loads(container.prints(*command, **variables))
    return path, injected


@pytest.mark.parametrize("version", interpreters.HOOKED)
@pytest.mark.parametrize("own", [None, "", "/app/lib", "/app/lib:/app/more"])
def test_an_interpreter_keeps_the_pythonpath_of_its_image_behind_ours(container, folder, version, own):
    python = interpreters.need(version)

    path, injected = seen(container, python, "-c", SEEN, PYTHONPATH=own)

    assert path == (f"{folder}:{own}" if own else folder)
    assert injected


def test_what_an_image_has_on_pythonpath_is_imported_as_before(container, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    (library / "of_the_image.py").write_text("word = 'kept'")

    said = container.prints(
        sys.executable, "-c", "import of_the_image; print(of_the_image.word)", PYTHONPATH=str(library)
    )

    assert said == "kept\n"


@pytest.mark.parametrize(
    "command",
    [
        ["/bin/sh", "-c", '"$0" "$@"'],
        ["/bin/sh", "-c", 'exec "$0" "$@"'],
        ["/usr/bin/env"],
        ["/usr/bin/env", "LATER=1"],
        [sys.executable, "-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"],
        [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"],
    ],
    ids=["shell", "exec", "env", "env-with-more", "python-exec", "python-child"],
)
def test_what_other_programs_start_is_joined_once(container, folder, command):
    assert seen(container, *command, sys.executable, "-c", SEEN, PYTHONPATH="/own") == (
        f"{folder}:/own",
        True,
    )


def test_a_script_with_an_interpreter_in_its_first_line_and_a_virtual_environment(
    container, folder, tmp_path
):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    script = tmp_path / "service"
    script.write_text(f"#!{python}\n{SEEN}\n")
    script.chmod(0o755)

    assert seen(container, script) == (folder, True)
    assert seen(container, python, "-c", SEEN) == (folder, True)


def test_a_folder_that_is_there_already_is_not_named_twice(container, folder):
    for own in (folder, f"{folder}:/own", f"/own:{folder}"):
        assert seen(container, sys.executable, "-c", SEEN, PYTHONPATH=own)[0] == own
    # A longer name that begins like ours is another folder.
    assert (
        seen(container, sys.executable, "-c", SEEN, PYTHONPATH=f"{folder}-else")[0]
        == f"{folder}:{folder}-else"
    )


@pytest.mark.parametrize(
    "variables",
    [
        {ENV_PRELOAD_PYTHONPATH: None},
        {ENV_PRELOAD_PYTHONPATH: ""},
        {ENV_PRELOAD_PYTHONPATH: "/not/there"},
        {"MEMWARDEN_DISABLE": "1"},
    ],
    ids=["no variable", "empty", "no folder", "switched off"],
)
@pytest.mark.parametrize("own", [None, "/own"])
def test_without_a_folder_nothing_happens(container, variables, own):
    assert seen(container, sys.executable, "-c", SEEN, PYTHONPATH=own, **variables) == (own, False)


def test_a_child_with_an_empty_environment_is_left_alone(container):
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SEEN!r}], env={{}}, check=True)"
    assert seen(container, sys.executable, "-c", child) == (None, False)
    assert seen(container, "/usr/bin/env", "-i", sys.executable, "-c", SEEN) == (None, False)


def test_thousands_of_variables_and_a_long_one_are_all_kept(container, folder):
    many = {f"VARIABLE_{number}": str(number) for number in range(5000)} | {"LONG": "x" * 100_000}
    count = """
from os import environ as own
print(own["PYTHONPATH"], sum(name.startswith("VARIABLE_") for name in own), len(own["LONG"]))
"""

    assert container.prints(sys.executable, "-c", count, **many).split() == [folder, "5000", "100000"]


def test_variables_can_be_set_and_removed_afterwards(container, folder):
    change = """
import os, subprocess
os.environ["NEW"] = "1"
os.environ["PYTHONPATH"] += ":/later"
del os.environ["MEMWARDEN_PRELOAD_PYTHONPATH"]
print(subprocess.check_output(["/usr/bin/env"], text=True))
"""
    told = dict(
        line.split("=", 1) for line in container.prints(sys.executable, "-c", change).splitlines() if line
    )
    assert (told["NEW"], told["PYTHONPATH"]) == ("1", f"{folder}:/later")
    assert ENV_PRELOAD_PYTHONPATH not in told


@pytest.mark.parametrize("name", ["python", "python3", "python3.13t", "python3.11d", "python3-dbg", "uwsgi"])
def test_programs_of_these_names_are_python(container, folder, compiled, tmp_path, name):
    program = compiled(PRINT_ENVIRONMENT, "cc").rename(tmp_path / name)
    assert container.prints(program) == f"{folder}\n"


@pytest.mark.parametrize(
    "name", ["java", "node", "pythonista", "python3-config", "mypython", "bpython", "p", "x" * 200]
)
def test_programs_of_other_names_are_not(container, compiled, tmp_path, name):
    program = compiled(PRINT_ENVIRONMENT, "cc").rename(tmp_path / name)
    assert container.prints(program) == "(unset)\n"
    assert container.prints(program, PYTHONPATH="/own") == "/own\n"


def test_an_interpreter_started_by_the_dynamic_linker_and_one_whose_file_is_gone(container, folder, tmp_path):
    linker = next(Path("/").glob("lib64/ld-linux*.so.*"), None) or next(Path("/lib").glob("ld-linux*.so.*"))
    # Its own folder would be looked for beside the linker.
    home = subprocess.check_output(
        [sys.executable, "-c", "import sys; print(sys.base_prefix)"], text=True
    ).strip()
    assert seen(container, linker, sys.executable, "-c", SEEN, PYTHONHOME=home) == (folder, True)

    gone = tmp_path / "python3"
    shutil.copy(os.path.realpath(sys.executable), gone)
    again = (
        f"import os, sys; os.remove({str(gone)!r}); os.execv('/proc/self/exe', ['python3', '-c', {SEEN!r}])"
    )
    assert seen(container, gone, "-c", again, PYTHONHOME=home) == (folder, True)


def test_a_static_program_runs_as_without_it(container, compiled):
    program = compiled(PRINT_ENVIRONMENT, "cc", "-static")
    assert container.prints(program, PYTHONPATH="/own") == "/own\n"


def test_two_loaders_at_once_join_once(container, loader, folder, tmp_path):
    copy = shutil.copy(loader, tmp_path / "copy.so")
    for both in (f"{loader}:{copy}", f"{loader} {copy}", f"{loader}:{loader}"):
        assert seen(container, sys.executable, "-c", SEEN, LD_PRELOAD=both) == (folder, True)


# Programs of every kind that a container may hold; those that are not here are left out.
PROGRAMS = (
    "ls", "cat", "cp", "mv", "rm", "ln", "mkdir", "env", "sort", "date", "stat", "tar", "gzip", "xz", "bzip2", "sed",
    "grep", "awk", "mawk", "gawk", "find", "xargs", "diff", "bash", "dash", "zsh", "fish", "perl", "openssl", "git",
    "curl", "wget", "make", "gcc", "cc", "ld", "as", "gdb", "strace", "node", "npm", "java", "ruby", "php", "go",
    "psql", "postgres", "sqlite3", "redis-server", "nginx", "apache2", "ssh", "ip", "mount", "ps", "top", "free",
    "kubectl", "containerd", "runc", "buildah", "chromium", "python3", "pip", "iptables", "nsenter", "file", "jq",
)  # fmt: skip


@pytest.mark.system
def test_programs_say_the_same_with_it(container):
    """Their exit code, what they print, and where: `--version` of whatever this machine has."""
    found = [program for program in PROGRAMS if shutil.which(program)]
    assert len(found) > 20
    differing = []
    for program in found:
        ends = [
            container.start(program, "--version", HOME="/tmp", **more) for more in ({}, {"LD_PRELOAD": None})
        ]
        said = [(end.returncode, end.stdout, end.stderr) for end in ends]
        differing += [(program, *said)] if said[0] != said[1] else []
    assert not differing


@pytest.mark.system
@pytest.mark.parametrize("name", ["python3", "other"])
def test_programs_of_musl(container, folder, compiled, tmp_path, name):
    program = compiled(PRINT_ENVIRONMENT, "musl-gcc").rename(tmp_path / name)
    for own in (None, "", "/own"):
        wanted = {
            "python3": f"{folder}:{own}" if own else folder,
            "other": "(unset)" if own is None else own,
        }[name]
        assert container.prints(program, PYTHONPATH=own) == f"{wanted}\n"


@pytest.mark.system
def test_cpython_for_musl(container, folder):
    import cpython_builds

    python = cpython_builds.interpreter("musl")
    for own in (None, "", "/own"):
        assert seen(container, python, "-c", SEEN, PYTHONPATH=own) == (
            f"{folder}:{own}" if own else folder,
            True,
        )


@pytest.mark.system
def test_another_allocator_that_is_preloaded_stays_so(container, loader, folder):
    jemalloc = next(iter(Path("/usr/lib").glob("*/libjemalloc.so.2")), None)
    if jemalloc is None:
        pytest.skip("libjemalloc2 is not installed")
    loaded = f"{SEEN}; assert 'libjemalloc' in open('/proc/self/maps').read()"
    for both in (f"{loader}:{jemalloc}", f"{jemalloc}:{loader}", f"{jemalloc} {loader}"):
        assert seen(container, sys.executable, "-c", loaded, LD_PRELOAD=both) == (folder, True)


@pytest.mark.system
def test_a_program_with_more_rights_than_who_starts_it_is_left_alone(container, folder):
    """The dynamic linker ignores LD_PRELOAD for it, and says nothing."""
    if os.geteuid() != 0:
        pytest.skip("making a setuid program of another user needs root")
    # /tmp is often mounted nosuid, and a test's own folder can't be entered by another user.
    program = Path("/usr/local/bin/python3-memwarden-test-setuid")
    source = program.with_suffix(".c")
    source.write_text(PRINT_ENVIRONMENT)
    try:
        subprocess.run(["cc", str(source), "-o", str(program)], check=True)
        program.chmod(0o4755)
        command = ["setpriv", "--reuid=65534", "--clear-groups", str(program)]
        assert container.prints(*command) == "(unset)\n"
    finally:
        program.unlink(missing_ok=True)
        source.unlink()


@pytest.mark.system
def test_a_program_with_the_address_sanitizer_refuses_to_start_which_is_known(container, compiled):
    """docs/design/20261121-preload.md names it: such images are left out by the label."""
    program = compiled(PRINT_ENVIRONMENT, "gcc", "-fsanitize=address")
    ended = container.start(program)
    assert ended.returncode != 0
    assert "ASan runtime does not come first" in ended.stderr
