"""One program's own account of itself and of its children (account.py), with the probe and without: what differs?

The whole of what may: the probe's folder in front of PYTHONPATH, variables MEMWARDEN_*, and modules of ADDED_MODULES.
"""

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import interpreters
import pytest

HERE = Path(__file__).resolve().parent
ACCOUNT = HERE / "account.py"
INJECT = HERE.parent / "inject"
OWN_CUSTOMIZE = """
import os, sys, threading
sys.path.append(os.path.dirname(os.path.abspath(__file__)) + "/extra")
sys.customized = getattr(sys, "customized", ()) + (__name__,)
def helper(): pass
"""


def added_modules():
    """The constant of the product, read as the interpreter reads it."""
    source = (HERE.parent / "memwarden_probe" / "bootstrap.py").read_text()
    (line,) = (line for line in source.splitlines() if line.startswith("ADDED_MODULES = "))
    return set(eval(line.partition("=")[2]))


def without_ours(account):
    """The account less what the probe may add, and only at the places where it may."""
    if not isinstance(account, dict):
        return account
    environment = account["process"]["environment"]
    for name in [name for name in environment if name.startswith("MEMWARDEN_")]:
        del environment[name]
    first, *rest = environment.pop("PYTHONPATH", "").split(os.pathsep)
    rest = rest if first == str(INJECT) else [first, *rest]
    if rest and rest != [""]:  # an empty PYTHONPATH is none
        environment["PYTHONPATH"] = os.pathsep.join(rest)
    said = account["interpreter"]
    said["modules"] = [name for name in said["modules"] if name not in added_modules()]
    if (
        "no_site=1" in said["flags"]
    ):  # then nothing of ours runs, and the entry of PYTHONPATH stays where it was put
        said["path"].remove(str(INJECT)) if str(INJECT) in said["path"] else None
        said["importers"].remove(str(INJECT)) if str(INJECT) in said["importers"] else None
    return account


def parse(line):
    try:
        return without_ours(json.loads(line))
    except ValueError:
        return line


class Way:
    """How a program is started: a command, its standard input, and changes to its environment."""

    def __init__(self, *command, stdin="", **variables):
        self.command = [str(part) for part in command]
        self.stdin = stdin
        self.variables = variables

    def run(self, environment, folder):
        return subprocess.run(
            self.command, env=environment, cwd=folder, input=self.stdin,
            capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip


def assert_the_same(way, environment, folder):
    """Run it without and with the probe, and compare all that it says, writes and ends with."""
    own = way.variables.get("PYTHONPATH")
    probed = {**environment, **way.variables}
    probed["PYTHONPATH"] = os.pathsep.join([str(INJECT), *([own] if own else [])])
    plain = {name: value for name, value in environment.items() if not name.startswith("MEMWARDEN_")}
    plain = {**plain, "PYTHONPATH": "", **way.variables}
    expected, seen = way.run(plain, folder), way.run(probed, folder)
    assert (seen.stderr, seen.returncode) == (expected.stderr, expected.returncode)
    before, after = ([parse(line) for line in one.stdout.splitlines()] for one in (expected, seen))
    roles = [account["role"] for account in before if isinstance(account, dict)]
    assert roles[0] == "app"
    assert roles[-1] == "forked"
    for one, other in zip(before, after, strict=True):
        if isinstance(one, dict):
            for part in one:
                assert other[part] == one[part], f"{one['role']}: {part}"
        assert other == one
    assert "the last word" in after
    return roles


def customized(name):
    def way(python, folder):
        (folder / "own").mkdir()
        (folder / "own" / f"{name}.py").write_text(OWN_CUSTOMIZE)
        return Way(python, ACCOUNT, PYTHONPATH=str(folder / "own"))

    return way


def virtual(python, folder):
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    return Way(folder / "env" / "bin" / "python", ACCOUNT)


def zipped(python, folder):
    with zipfile.ZipFile(folder / "app.pyz", "w") as archive:
        archive.write(ACCOUNT, "__main__.py")
    return Way(python, folder / "app.pyz")


def as_module(python, folder):
    (folder / "account.py").write_text(ACCOUNT.read_text())
    return Way(python, "-m", "account")


def under_coverage(python, folder):
    return Way(sys.executable, "-m", "coverage", "run", "--data-file", folder / "coverage", ACCOUNT)


WAYS = {
    "-W always": lambda python, folder: Way(python, "-W", "always", ACCOUNT),
    "-W error": lambda python, folder: Way(python, "-W", "error", "-W", "default::UserWarning", ACCOUNT),
    "-X dev": lambda python, folder: Way(python, "-X", "dev", ACCOUNT),
    "-O -u -B": lambda python, folder: Way(python, "-O", "-u", "-B", ACCOUNT),
    "-X faulthandler": lambda python, folder: Way(python, "-X", "faulthandler", ACCOUNT),
    "own sitecustomize": customized("sitecustomize"),
    "own usercustomize": customized("usercustomize"),
    "PYTHONPATH set": lambda python, folder: Way(
        python, ACCOUNT, PYTHONPATH=f"{folder}:/not/there::relative"
    ),
    "PYTHONPATH empty": lambda python, folder: Way(python, ACCOUNT, PYTHONPATH=""),
    "PYTHONSTARTUP": lambda python, folder: Way(python, ACCOUNT, PYTHONSTARTUP=str(folder / "startup.py")),
    "C locale": lambda python, folder: Way(
        python, ACCOUNT, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"
    ),
    "debug allocators": lambda python, folder: Way(python, ACCOUNT, PYTHONMALLOC="debug"),
    "virtual environment": virtual,
    "module": as_module,
    "standard input": lambda python, folder: Way(python, "-", stdin=ACCOUNT.read_text()),
    "-c": lambda python, folder: Way(python, "-c", ACCOUNT.read_text()),
    "zipapp": zipped,
    "-I": lambda python, folder: Way(python, "-I", ACCOUNT),
    "-E": lambda python, folder: Way(python, "-E", ACCOUNT),
    "-S": lambda python, folder: Way(python, "-S", ACCOUNT),
    "tracemalloc": lambda python, folder: Way(python, "-X", "tracemalloc=5", ACCOUNT),
    "tracemalloc by environment": lambda python, folder: Way(python, ACCOUNT, PYTHONTRACEMALLOC="3"),
}

ALSO_ON_311 = ("-X dev", "own sitecustomize", "own usercustomize", "virtual environment", "zipapp")


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_nothing_differs(environment, tmp_path, version):
    way = Way(interpreters.need(version), ACCOUNT)
    assert assert_the_same(way, environment, tmp_path) == ["app", "executed", "spawned", "forked"]


@pytest.mark.parametrize(
    ("name", "version"), [(name, "3.13") for name in WAYS] + [(name, "3.11") for name in ALSO_ON_311]
)
def test_nothing_differs_however_it_is_started(environment, tmp_path, version, name):
    assert_the_same(WAYS[name](interpreters.need(version), tmp_path), environment, tmp_path)


def test_nothing_differs_under_coverage(environment, tmp_path):
    assert_the_same(under_coverage(sys.executable, tmp_path), environment, tmp_path)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_nothing_differs_without_a_sidecar(environment, tmp_path, version):
    environment["MEMWARDEN_SOCKET"] = str(tmp_path / "nobody")
    assert_the_same(Way(interpreters.need(version), ACCOUNT), environment, tmp_path)


def test_the_account_sees_what_a_probe_could_do(tmp_path, environment):
    """The witness itself: each of these changes is noticed."""
    python = interpreters.need(interpreters.REQUIRED[0])
    plain = {name: value for name, value in environment.items() if not name.startswith("MEMWARDEN_")}
    plain["PYTHONPATH"] = str(tmp_path)
    changes = {
        "atexit": "import atexit; atexit.register(print)",
        "threads": "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "signals": "import signal; signal.signal(signal.SIGUSR2, signal.SIG_IGN)",
        "mask": "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})",
        "descriptors": "import os; os.dup2(os.open('/dev/null', os.O_RDONLY), 50)",
        "modules": "import colorsys",
        "path": "import sys; sys.path.insert(0, '/tmp')",
        "meta_path": "import sys; sys.meta_path.append(type('Finder', (), {'find_spec': lambda *a: None})())",
        "gc": "import gc; gc.set_threshold(500)",
        "gc callbacks": "import gc; gc.callbacks.append(lambda *a: None)",
        "warnings": "import warnings; warnings.simplefilter('ignore', FutureWarning)",
        "umask": "import os; os.umask(0o077)",
        "limits": "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (99, r.getrlimit(r.RLIMIT_NOFILE)[1]))",
        "excepthook": "import sys; sys.excepthook = lambda *a: None",
        "trace": "import sys; sys.setprofile(lambda *a: None)",
        "tracemalloc": "import tracemalloc; tracemalloc.start()",
        "faulthandler": "import faulthandler; faulthandler.enable()",
        "classes": "class Left: pass\nimport sys; sys.left = Left",
        "environment": "import os; os.environ['LEFT'] = '1'",
        "priority": "import os; os.nice(1 if os.nice(0) < 19 else -1)",
    }

    def account():
        result = Way(python, ACCOUNT, "alone").run(plain, tmp_path)
        said = parse(result.stdout.splitlines()[0])
        return {
            name: value for part in ("interpreter", "hooks", "process") for name, value in said[part].items()
        }

    (tmp_path / "sitecustomize.py").write_text("")
    clean = account()
    for name, change in changes.items():
        (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(change))
        assert account()[name] != clean[name], name
