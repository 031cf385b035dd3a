"""A geometry service on a C library: the pieces of a large model are freed, but a result was allocated last, on
top of them all, so the allocator can't give the memory below it back."""

import ctypes
import random
import time

from traffic.shape import arrivals, seed

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = [ctypes.c_size_t]
LIBC.free.argtypes = [ctypes.c_void_p]
LIBC.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]


def piece(size):
    address = LIBC.malloc(size)
    LIBC.memset(address, 7, size)
    return address


def model(draw, pieces):
    """Load a model piece by piece, keep its outline, free the rest."""
    loaded = []
    for number in range(pieces):
        loaded.append(piece(draw.randint(8_000, 60_000)))
        if number % 20 == 0:
            time.sleep(0.05)
    outline = piece(70_000)
    for address in loaded:
        LIBC.free(address)
    return outline


def main():
    draw = random.Random(seed())
    outlines, due = [], time.monotonic() + 6
    for number in arrivals(80):
        sum(each * number % 7 for each in range(2_000))
        if time.monotonic() > due:
            outlines.append(model(draw, draw.randint(700, 1100)))
            if len(outlines) > 4:
                LIBC.free(outlines.pop(0))
            due = time.monotonic() + 9


if __name__ == "__main__":
    main()
