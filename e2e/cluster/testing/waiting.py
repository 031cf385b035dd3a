"""Waiting for what happens some time later: look, look again, and say what was last seen."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Long, since machines are slow at times; a wait ends when its condition holds, so that this costs nothing
# where all is well.
PATIENCE_SECONDS = 90.0


def eventually(what: str, look: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Return the first truthy value that `look` returns. An AssertionError of `look` means: not yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = look()
            if last:
                return last
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s; last seen: {last}")
        time.sleep(0.25)
