"""How other programs are called: as a list, never a shell's line, with an error that shows what was said."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .errors import CommandFailed, NotReady


def run(
    *command: str | Path,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = 120,
) -> str:
    """Run a program to its end and return what it printed; raise CommandFailed or NotReady."""
    words = [str(word) for word in command]
    try:
        ended = subprocess.run(
            words,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
            cwd=folder,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotReady(f"the end of `{' '.join(words)}`", timeout) from None
    except FileNotFoundError:
        raise CommandFailed(words, 127, f"there is no program {words[0]}") from None
    if ended.returncode != 0:
        raise CommandFailed(words, ended.returncode, ended.stderr or ended.stdout)
    return ended.stdout


def answers(*command: str | Path, timeout: float = 20) -> bool:
    """Say whether a program is there and ends well."""
    try:
        run(*command, timeout=timeout)
    except (CommandFailed, NotReady):
        return False
    return True
