"""Imports of files in old encodings: each supplier has characters of its own, and a way to replace them."""

import codecs

from traffic.shape import arrivals

ROWS = {"read": 0}


def handler(job):
    """The name of what replaces characters that can't be decoded, for one file."""
    table = {code: f"[{job % 40}:{code:02x}]" for code in range(128, 256)}  # LEAK
    name = f"supplier-{job}"
    codecs.register_error(name, lambda error: (table.get(error.object[error.start], "?"), error.start + 1))
    return name


def content(job):
    return bytes((job * 17 + place * 31) % 256 for place in range(900))


def read(job):
    """Count the rows of one file."""
    text = content(job).decode("ascii", errors=handler(job))
    ROWS["read"] += text.count("[")


if __name__ == "__main__":
    for job in arrivals(22):
        read(job)
