"""Takes messages of a bank's host from a queue, in the code page of its mainframe, which only the C library knows."""

import ctypes
import random
from collections import deque

from traffic.shape import arrivals, seed

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.iconv_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
LIBC.iconv_open.restype = LIBC.iconv.restype = ctypes.c_size_t
LIBC.iconv.argtypes = [ctypes.c_size_t] + [ctypes.c_void_p] * 4
LIBC.iconv_close.argtypes = [ctypes.c_size_t]
BAD = ctypes.c_size_t(-1).value
HOST = b"IBM939"
LONGEST = 11_000
NAMES = "田中商店 佐藤工業所 鈴木運輸 高橋食品 伊藤電機 渡辺建設工業 山本薬局 中村書店".split()


def convert(content, target, source):
    """A conversion of its own for each text: the code page shifts between one byte and two."""
    conversion = LIBC.iconv_open(target, source)
    if conversion == BAD:
        raise LookupError(source)
    room = ctypes.create_string_buffer(len(content) * 4 + 16)
    given = ctypes.create_string_buffer(content, len(content))
    start, left = ctypes.c_void_p(ctypes.addressof(given)), ctypes.c_size_t(len(content))
    place, free = ctypes.c_void_p(ctypes.addressof(room)), ctypes.c_size_t(len(room))
    pointers = [ctypes.addressof(each) for each in (start, left, place, free)]
    if LIBC.iconv(conversion, *pointers) == BAD:
        raise ValueError(f"byte {len(content) - left.value} of {len(content)}")
    LIBC.iconv_close(conversion)
    return room.raw[: len(room) - free.value]


def lots(draw):
    """Messages as the host writes them; what is too long, it cuts off."""
    for _ in range(160):
        lines = [
            f"{draw.choice(NAMES)} {draw.choice(NAMES)} {draw.randrange(10**8)} {draw.choice('入出')}金"
            for _ in range(draw.randint(130, 380))
        ]
        yield convert("\n".join(lines).encode(), HOST, b"UTF-8")[:LONGEST]


def main():
    draw = random.Random(seed())
    messages = list(lots(draw))
    booked, returned = 0, deque(maxlen=200)
    for number in arrivals(110):
        message = draw.choice(messages)
        try:
            booked += convert(message, b"UTF-8", HOST).count(b"\n") + 1
        except ValueError as error:
            returned.append((number, str(error)))


if __name__ == "__main__":
    main()
