"""The interpreters that programs run with: one virtual environment per version and list of packages, kept outside
of the repository (`$MEMWARDEN_CORPUS_CACHE`, else ~/.cache/memwarden/corpus) and made once.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from corpus.errors import EnvironmentUnavailable
from corpus.labels import environment_file

ROOT: Final = Path(__file__).resolve().parents[2]
UV: Final = [str(ROOT / ".uv" / "bin" / "python"), "-m", "uv"]


def cache() -> Path:
    """Where environments are kept."""
    named = os.environ.get("MEMWARDEN_CORPUS_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "memwarden" / "corpus"


def interpreter(version: str, packages: str) -> Path:
    """A Python of this version with the packages of environments/<packages>.txt ("": none).

    Raises EnvironmentUnavailable.
    """
    text = environment_file(packages).read_text() if packages else ""
    word = hashlib.sha256(text.encode()).hexdigest()[:8]
    folder = cache() / f"python{version}-{packages or 'plain'}-{word}"
    python = folder / "bin" / "python"
    ready = folder / "corpus-ready"
    if ready.exists():
        return python
    _uv("venv", "--quiet", "--clear", "--python", _installed(version), str(folder))
    if text:
        _uv(
            "pip", "install", "--quiet", "--require-hashes", "--python", str(python),
            "-r", str(environment_file(packages)),
        )  # fmt: skip
    ready.touch()
    return python


def _installed(version: str) -> str:
    """What uv is asked for: pyenv's own, where it has one (its shims refuse versions that aren't switched on)."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    return str(found[-1]) if found else version


def lock(name: str, version: str, requirements: list[str]) -> None:
    """Write environments/<name>.txt: all packages that these need, pinned, with hashes."""
    listed = "\n".join(requirements).encode()
    found = _uv(
        "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url",
        "--python-version", version, "-", given=listed,
    )  # fmt: skip
    head = f"# {' '.join(requirements)} for Python {version}: python -m corpus.environments NAME VERSION PACKAGE…\n"
    environment_file(name).write_text(head + found)


def _uv(*arguments: str, given: bytes = b"") -> str:
    environment = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "true"}
    done = subprocess.run([*UV, *arguments], input=given, capture_output=True, env=environment, check=False)
    if done.returncode:
        raise EnvironmentUnavailable(f"uv {' '.join(arguments[:2])}: {done.stderr.decode().strip()[-600:]}")
    return done.stdout.decode()


if __name__ == "__main__":
    lock(sys.argv[1], sys.argv[2], sys.argv[3:])
