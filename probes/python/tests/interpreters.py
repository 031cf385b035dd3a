"""The Python interpreters that this machine has; a version that is missing skips its tests.

``$MEMWARDEN_TEST_PYTHONS`` may name a folder with others (``python3.14`` and so on): then all tests run with these.
"""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = Path(__file__).resolve().parents[1]
GIVEN = os.environ.get("MEMWARDEN_TEST_PYTHONS")
HOOKED = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
REQUIRED = ("3.11", "3.13")
WITH_CENSUS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
if GIVEN:
    HOOKED = REQUIRED = tuple(v for v in HOOKED if Path(GIVEN, f"python{v}").exists())
    WITH_CENSUS = tuple(v for v in WITH_CENSUS if v in HOOKED)


def _pyenv_root():
    return Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))


def _candidates(version):
    if GIVEN:
        yield Path(GIVEN, f"python{version}")
    yield from sorted(_pyenv_root().glob(f"versions/{version}.*/bin/python"), reverse=True)
    yield shutil.which(f"python{version}")
    yield sys.executable


@functools.cache
def find(version):
    """The path of an interpreter of this minor version, or None."""
    for path in _candidates(version):
        if path is None or not Path(path).exists():
            continue
        question = "import sys; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run([str(path), "-SEc", question], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == version:
            return str(path)
    return None


def need(version):
    path = find(version)
    if path is None:
        pytest.skip(f"no Python {version} on this machine")
    return path
