"""Interpreters with the servers and the other profilers in them: one virtual environment each, kept in the cache."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")


def prepare(interpreter: str) -> Path:
    """The python of an environment with all of requirements.txt. The first time takes a minute, and the network."""
    key = hashlib.sha256(interpreter.encode() + REQUIREMENTS.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("MEMWARDEN_CACHE") or Path.home() / ".cache" / "memwarden")
    folder = cache / "overhead" / key
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([interpreter, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--only-binary=:all:", "-r", str(REQUIREMENTS)],
            check=True,
        )  # fmt: skip
        (folder / "complete").touch()
    return python


def versions(python: Path) -> dict[str, str]:
    """What is installed of requirements.txt, and the interpreter's own version."""
    names = [line.partition("==")[0] for line in REQUIREMENTS.read_text().split() if "==" in line]
    source = (
        "import json, platform, sys; from importlib.metadata import version\n"
        "print(json.dumps({'python': platform.python_version()} | {n: version(n) for n in sys.argv[1:]}))"
    )
    out = subprocess.run([str(python), "-c", source, *names], check=True, capture_output=True, text=True)
    import json

    return dict(json.loads(out.stdout))
