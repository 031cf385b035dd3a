"""One at a time: builds and clusters share a cache, and all clusters the same addresses."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import NotReady

# As long as the longest build.
PATIENCE_SECONDS = 3600.0


@contextmanager
def alone(cache: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the cache's lock. The kernel gives it back when a process ends, however it ends."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as held:
        deadline = time.monotonic() + PATIENCE_SECONDS
        told = False
        while not _taken(held.fileno()):
            if time.monotonic() > deadline:
                raise NotReady(f"the release of {held.name} by another process", PATIENCE_SECONDS)
            if not told:
                say("waiting for another process that builds or starts a cluster")
                told = True
            time.sleep(0.2)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
