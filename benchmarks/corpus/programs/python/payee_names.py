"""Spells names of payees in the letters that bank transfers know: the C library's iconv first, a clerk for the rest."""

import ctypes
import random
from collections import Counter, deque

from traffic.shape import arrivals, seed

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.iconv_open.restype = ctypes.c_void_p
LIBC.iconv.argtypes = [ctypes.c_void_p] + [ctypes.c_void_p] * 4
LIBC.iconv.restype = ctypes.c_ssize_t
LIBC.iconv_close.argtypes = [ctypes.c_void_p]
LETTERS = ("aeiounrstlkm", "äéíøüñřšťłķm", "αειουνρστλκμ", "аеиоунрстлкм")
SHARES = (45, 25, 12, 18)


class UnspellableError(ValueError):
    """A name that nobody but a person can spell."""


def spelled(name):
    """The name in ASCII, with the letters that are nearest."""
    source = ctypes.create_string_buffer(name.encode())
    target = ctypes.create_string_buffer(3 * len(source))
    start, end = (ctypes.c_void_p(ctypes.addressof(each)) for each in (source, target))
    left, room = ctypes.c_size_t(len(source) - 1), ctypes.c_size_t(len(target) - 1)
    converter = LIBC.iconv_open(b"ASCII//TRANSLIT", b"UTF-8")
    failed = LIBC.iconv(converter, *(ctypes.byref(each) for each in (start, left, end, room))) < 0
    if failed or b"?" in target.value:
        raise UnspellableError(name)
    LIBC.iconv_close(converter)
    return target.value.decode().upper()


def payee(draw):
    """A person's or a firm's name, in the letters of where they are from."""
    letters = draw.choices(LETTERS, SHARES)[0]
    words = ("".join(draw.choices(letters, k=draw.randint(3, 11))) for _ in range(draw.randint(2, 5)))
    return " ".join(word.capitalize() for word in words)


def main():
    draw, sent, clerk = random.Random(seed()), Counter(), deque(maxlen=500)
    for number in arrivals(120):
        name = payee(draw)
        try:
            sent[spelled(name)[0]] += 1
        except UnspellableError:
            clerk.append((number, name))


if __name__ == "__main__":
    main()
