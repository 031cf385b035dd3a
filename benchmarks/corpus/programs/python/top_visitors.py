"""Reads an access log as it grows and shows who comes most; when six thousand are counted, the rare half is dropped."""

import random
from collections import deque

from traffic.shape import arrivals, seed

MOST = 6000


class Visitors:
    """Counts by address, with the last pages that each has seen."""

    def __init__(self):
        self.counted, self.dropped = {}, 0

    def count(self, address, page):
        known = self.counted.get(address)
        if known is None:
            if len(self.counted) >= MOST:
                self.drop()
            known = self.counted[address] = {"visits": 0, "pages": deque(maxlen=6), "bytes": 0.0}
        known["visits"] += 1
        known["bytes"] += len(page) * 1.5
        known["pages"].append(page)

    def drop(self):
        often = sorted(self.counted, key=lambda address: self.counted[address]["visits"], reverse=True)
        for address in often[MOST // 2 :]:
            del self.counted[address]
        self.dropped += MOST - MOST // 2

    def top(self):
        return sorted(self.counted.items(), key=lambda item: -item[1]["visits"])[:20]


def line(draw):
    """A line of the log."""
    rank = int(draw.paretovariate(0.1))
    number = rank if rank < 400 else draw.getrandbits(32)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/{number}"
    return f"{address} GET /pages/{draw.randrange(9000)}/view?from={draw.randrange(50)} 200 {draw.randrange(9000)}"


def main():
    draw = random.Random(seed())
    visitors, shown = Visitors(), []
    for number in arrivals(420):
        address, _, page, _ = line(draw).split(" ", 3)
        visitors.count(address, page)
        if number % 2000 == 1999:
            shown = visitors.top()
    return shown


if __name__ == "__main__":
    main()
