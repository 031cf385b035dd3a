"""Which interpreters get the hook, and what the others say: no version is trusted, each proves itself at start."""

import os
import shutil

import interpreters
import pytest
from interpreters import PROBE

PRETENDING = {
    "later": "import sys; sys.version_info = (3, 15, 0, 'final', 0); sys.hexversion = 0x030f00f0",
    "unknown to the native part": "import sys; sys.hexversion = 0x030f00f0",
    "PyPy": "import sys; sys.implementation.name = 'pypy'",
    "32 bits": "import sys; sys.maxsize = 2**31 - 1",
    "another machine": "import os; real = os.uname(); os.uname = lambda: type(real)((*real[:4], 'riscv64'))",
}
REASONS = {
    "later": "Python 3.15 is not supported",
    "unknown to the native part": "this Python version is not known",
    "PyPy": "CPython only, this is pypy",
    "32 bits": "32-bit interpreters are not supported",
    "another machine": "no hook is built for riscv64",
}
# Tables of other versions than the interpreter's own. 3.8 and 3.9 share theirs; 3.13 and later are asked for theirs.
TABLES = {"3.8": 0x030812F0, "3.10": 0x030A0DF0, "3.11": 0x030B07F0, "3.12": 0x030C01F0}
SAME = {("3.9", "3.8")}


@pytest.fixture
def pretend(tmp_path):
    """The user's own sitecustomize, which runs before the probe, makes the interpreter look like another one."""
    folder = tmp_path / "own"
    folder.mkdir()

    def prepare(source):
        (folder / "sitecustomize.py").write_text(source + "\n")
        return {"PYTHONPATH": f"{PROBE / 'inject'}{os.pathsep}{folder}"}

    return prepare


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_each_known_version_proves_itself_and_is_hooked(listener, run, version):
    assert run(version, "print(sum(range(10)))").finish() == ("45\n", "")
    hello = listener.peer().hello["params"]
    assert hello["reason"] == ""
    census = ["census", "caches"] if version in interpreters.WITH_CENSUS else []
    assert hello["capabilities"] == ["stats", "sites", *census]


@pytest.mark.parametrize("version", interpreters.REQUIRED)
@pytest.mark.parametrize("what", PRETENDING)
def test_what_has_no_hook_says_why_and_runs_as_ever(listener, run, pretend, version, what):
    program = run(version, "print([n for n in range(3)])", **pretend(PRETENDING[what]))
    assert program.finish() == ("[0, 1, 2]\n", "")
    hello = listener.peer(program.pid).hello["params"]
    assert hello["capabilities"] == []
    assert REASONS[what] in hello["reason"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_a_wrong_table_is_found_out_before_anything_is_hooked(listener, run, pretend, version, table):
    if table == version or (version, table) in SAME:
        pytest.skip("this is the version's own table")
    claim = pretend(f"import sys; sys.hexversion = {TABLES[table]}")
    program = run(version, "print(len([{} for _ in range(9999)]))", **claim)
    assert program.finish() == ("9999\n", "")
    hello = listener.peer(program.pid).hello["params"]
    assert hello["capabilities"] == []
    assert hello["reason"].startswith("the self-test failed")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_no_ctypes_is_needed(listener, run, pretend, version):
    gone = pretend("import sys; sys.modules['ctypes'] = sys.modules['_ctypes'] = None")
    program = run(version, "import sys; print(sys.modules['_ctypes'])", **gone)
    assert program.finish() == ("None\n", "")
    assert "sites" in listener.peer(program.pid).hello["params"]["capabilities"]


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_missing_or_damaged_object_is_said_and_does_no_harm(listener, run, tmp_path, version):
    probe = tmp_path / "probe"
    for folder in ("inject", "memwarden_probe", "lib"):
        shutil.copytree(PROBE / folder, probe / folder)
    libraries = list((probe / "lib").glob("*.so"))
    for damage, said in ((b"\x7fELF", "could not be loaded"), (None, "no hook is built for")):
        for library in libraries:
            library.unlink()
            if damage is not None:
                library.write_bytes(damage)
        program = run(version, "print(1)", PYTHONPATH=str(probe / "inject"))
        assert program.finish() == ("1\n", "")
        hello = listener.peer(program.pid).hello["params"]
        assert hello["capabilities"] == []
        assert said in hello["reason"]
