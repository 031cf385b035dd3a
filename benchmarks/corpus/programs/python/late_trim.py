"""A renderer whose pages are C memory; freed pages stay with the allocator until it is asked, every twelve seconds, to
give them back."""

import ctypes
import random
import time
from collections import deque

from traffic.shape import arrivals, seed

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = [ctypes.c_size_t]
LIBC.free.argtypes = [ctypes.c_void_p]
LIBC.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]


def page(draw):
    """A page of the C library's memory, small enough to be kept in its arena."""
    size = draw.randint(3_000, 60_000)
    address = LIBC.malloc(size)
    LIBC.memset(address, 1, size)
    return address


def main():
    draw = random.Random(seed())
    pages = deque()
    due = time.monotonic() + 12
    for _ in arrivals(120):
        pages.append(page(draw))
        kept = 250 if draw.random() < 0.9 else 40
        while len(pages) > kept:
            LIBC.free(pages.popleft() if draw.random() < 0.5 else pages.pop())
        if time.monotonic() > due:
            due += 12
            LIBC.malloc_trim(0)


if __name__ == "__main__":
    main()
