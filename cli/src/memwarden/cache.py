"""The one folder that outlives a run: an initialised database to copy from, and, where they can't be run in
place, PostgreSQL's programs. `$MEMWARDEN_CACHE`, else `$XDG_CACHE_HOME/memwarden`, else `~/.cache/memwarden`.

It may be deleted at any time; the next run is 0.8 s slower.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from memwarden.errors import Failed, reason

ENV_CACHE: Final = "MEMWARDEN_CACHE"
_TAG: Final = "CACHEDIR.TAG"
_TAG_TEXT: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Made by memwarden; it may be deleted at any time (memwarden cache clear).\n"
)


def folder() -> Path:
    """Where the cache is; it need not exist."""
    if chosen := os.environ.get(ENV_CACHE):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a path that is not absolute is ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "memwarden"


def make() -> Path:
    """The cache folder, made if need be. Raises OSError where that is impossible."""
    path = folder()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    tag = path / _TAG
    if not tag.exists():  # backup programs leave such folders out
        tag.write_text(_TAG_TEXT, encoding="utf-8")
    return path


def clear() -> int:
    """Delete what memwarden put there; returns the bytes that were freed."""
    path = folder()
    if not path.exists():
        return 0
    if not (path / _TAG).exists() and any(path.iterdir()):
        raise Failed(f"{path} was not made by memwarden (it has no {_TAG}); nothing was deleted")
    freed = sum(entry.lstat().st_size for entry in path.rglob("*") if not entry.is_dir())
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise Failed(f"the cache {path} could not be deleted: {reason(error)}") from error
    return freed
