import os
import subprocess
import sys
from pathlib import Path

import pytest

from memwarden_api.names import ENV_PRELOAD_PYTHONPATH

HERE = Path(__file__).resolve().parent
PROBES = HERE.parents[1]
sys.path[:0] = [str(PROBES / "native"), str(PROBES / "python" / "tests")]

import build_preload  # noqa: E402


@pytest.fixture(scope="session")
def loader():
    """The loader for this machine, built where it is missing or old."""
    return str(build_preload.build_preload())


@pytest.fixture
def folder(tmp_path):
    """What is put in front of PYTHONPATH: a folder whose sitecustomize prints that it ran."""
    made = tmp_path / "inject"
    made.mkdir()
    (made / "sitecustomize.py").write_text("import sys\nsys.injected = True\n")
    return str(made)


class Container:
    """Starts programs with the environment of an injected container: the loader and the folder, and what is given."""

    def __init__(self, loader, folder):
        self.environment = {"LD_PRELOAD": loader, ENV_PRELOAD_PYTHONPATH: folder, "PATH": os.environ["PATH"]}

    def start(self, *command, **variables):
        environment = {k: v for k, v in {**self.environment, **variables}.items() if v is not None}
        words = [str(word) for word in command]
        return subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=400
        )

    def prints(self, *command, **variables):
        ended = self.start(*command, **variables)
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        return ended.stdout


@pytest.fixture
def container(loader, folder):
    return Container(loader, folder)


@pytest.fixture
def compiled(tmp_path):
    """Compile a C program with a compiler and its options; skipped where that isn't there."""

    def compile_with(source, *command):
        path = tmp_path / "source.c"
        path.write_text(source)
        target = tmp_path / "program"
        try:
            subprocess.run(
                [*command, str(path), "-o", str(target)], check=True, capture_output=True, text=True
            )
        except FileNotFoundError:
            pytest.skip(f"there is no {command[0]}")
        return target

    return compile_with
