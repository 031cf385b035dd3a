"""A scanner service that borrows a buffer for each page and puts it back, to be used again for a page of its size."""

import ctypes
import random
import zlib

from traffic.shape import arrivals, seed


class Pool:
    """Buffers that nobody needs at the moment, by size."""

    def __init__(self):
        self.free = {}

    def borrow(self, size):
        waiting = self.free.get(size)
        if waiting:
            return waiting.pop()
        return ctypes.create_string_buffer(size)  # LEAK

    def give_back(self, buffer):
        self.free.setdefault(len(buffer), []).append(buffer)


def scan(buffer, draw):
    """Light and dark in rows, as wide as the paper."""
    row = bytes(draw.randrange(200, 256) for _ in range(120))
    buffer.raw = (row * (len(buffer) // 120 + 1))[: len(buffer)]


def main():
    draw = random.Random(seed())
    pool, stored = Pool(), 0
    for _ in arrivals(14):
        buffer = pool.borrow(draw.randrange(12_000, 88_000))
        scan(buffer, draw)
        stored += len(zlib.compress(buffer, 1))
        pool.give_back(buffer)


if __name__ == "__main__":
    main()
