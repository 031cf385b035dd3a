"""An importer of pictures: each upload is staged whole, and a failed check forgets to drop it. A fast leak."""

import hashlib
import random

from traffic.shape import arrivals, seed

STAGED = {}


def receive(draw, number):
    """Collect an upload part by part."""
    parts = bytearray()
    for _ in range(draw.randint(2, 12)):
        parts += draw.randbytes(30_000)  # LEAK
    STAGED[number] = parts
    return parts


def check(upload):
    return hashlib.sha256(upload).digest()[0] < 90


def main():
    draw = random.Random(seed())
    stored = 0
    for number in arrivals(14):
        upload = receive(draw, number)
        if check(upload):
            stored += len(STAGED.pop(number))


if __name__ == "__main__":
    main()
