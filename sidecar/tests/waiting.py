"""Waiting for a condition instead of for a time: a busy machine is no failure."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE = 120.0


def wait_for(condition: Callable[[], Found], timeout: float = PATIENCE, what: str = "the condition") -> Found:
    """The first true value of `condition()`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} was not met within {timeout} s")
