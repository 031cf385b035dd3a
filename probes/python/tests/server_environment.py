"""Virtual environments with other people's servers and tools, made once for each interpreter and set of pins.

They lie outside of the repository, in `memwarden/test-environments` below the user's cache folder, and are made again
where the pins have changed. `requirements.txt` beside each `requirements.in` is made by

    uv pip compile --universal --generate-hashes --python-version 3.8 requirements.in -o requirements.txt
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import interpreters
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def cache_folder():
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "memwarden" / "test-environments"


def python_with(requirements, version):
    """The interpreter of an environment that holds what `requirements` (a folder beside this file) pins."""
    base = interpreters.need(version)
    pins = HERE / requirements / "requirements.txt"
    identity = hashlib.sha256(pins.read_bytes() + os.path.realpath(base).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{requirements}-{version}-{identity}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not (folder / "complete").exists():
            _make(base, pins, folder)
    return str(folder / "bin" / "python")


def _make(base, pins, folder):
    shutil.rmtree(folder, ignore_errors=True)
    uv = [str(ROOT / ".uv" / "bin" / "python"), "-m", "uv", "pip", "install", "--quiet", "--require-hashes"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE", "MEMWARDEN"))}
    if Path("/etc/ssl/certs/ca-certificates.crt").is_file():
        clean.setdefault("UV_SYSTEM_CERTS", "1")
    for command in (
        [base, "-m", "venv", "--without-pip", str(folder)],
        [*uv, "--python", str(folder / "bin" / "python"), "-r", str(pins)],
    ):
        made = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.fail(f"the environment for {pins.parent.name} could not be made:\n{made.stderr}")
    (folder / "complete").touch()
