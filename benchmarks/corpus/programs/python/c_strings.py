"""A gateway to a C library: each message is handed over as a C string that the library would like to get back."""

import ctypes
import random

from traffic.shape import arrivals, seed

LIBC = ctypes.CDLL(None)
LIBC.strdup.restype = ctypes.c_void_p
LIBC.strdup.argtypes = [ctypes.c_char_p]
LIBC.strlen.restype = ctypes.c_size_t
LIBC.strlen.argtypes = [ctypes.c_void_p]


def to_native(text):
    """The library's own copy of a text; whoever asks for it has to free it."""
    return LIBC.strdup(text.encode())


def deliver(message):
    handle = to_native(message)
    return LIBC.strlen(handle)


def main():
    draw = random.Random(seed())
    words = ["engine", "valve", "pump", "pressure", "open", "closed", "warning", "normal"]
    delivered = 0
    for number in arrivals(120):
        message = f"{number}: " + " ".join(draw.choice(words) for _ in range(draw.randint(400, 1100)))
        delivered += deliver(message)


if __name__ == "__main__":
    main()
