"""What Memwarden says to people: on stderr, prefixed, and never a reason to fail."""

import sys
from typing import Final

PREFIX: Final = "memwarden: "


def say(sentence: str) -> None:
    """One sentence with our name in front."""
    write(f"{PREFIX}{sentence}\n")


def write(text: str) -> None:
    """Write to stderr. A terminal that was closed, or a pipe nobody reads, is not our failure."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        return
