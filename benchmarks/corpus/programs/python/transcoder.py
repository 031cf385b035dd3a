"""Clips are transcoded in buffers that are used again; there are as many as there were clips at once."""

import heapq
import random
import time

from traffic.shape import arrivals, seed

IDLE = []
BUSY = []
DRAW = random.Random(seed())
CLIP = bytes(range(256)) * 1024


def take():
    return IDLE.pop() if IDLE else bytearray(len(CLIP))


def start(number):
    """Fill a buffer; it is done in a while."""
    buffer = take()
    buffer[:] = CLIP
    heapq.heappush(BUSY, (time.monotonic() + DRAW.expovariate(1 / 0.6), number, buffer))


def finish():
    while BUSY and BUSY[0][0] < time.monotonic():
        IDLE.append(heapq.heappop(BUSY)[2])


if __name__ == "__main__":
    for number in arrivals(40):
        finish()
        start(number)
