"""A ledger that books all day; once a year is closed meanwhile: all entries are read, piece by piece, and summed."""

import random
import time
from collections import Counter, deque

from traffic.shape import arrivals, seed

CLOSES_AFTER = 34.0
ENTRIES = 60_000
ENTRIES_AT_ONCE = 130


class Close:
    """The entries read so far."""

    def __init__(self):
        self.entries = []

    def read_more(self, draw):
        """Returns the sums when there is nothing more to read."""
        for _ in range(ENTRIES_AT_ONCE):
            number = len(self.entries)
            text = f"entry {number} of account {draw.randrange(900)}: {draw.getrandbits(40):x}"
            self.entries.append((draw.randrange(900), draw.randrange(-9000, 9000), text, [number] * 12))
        if len(self.entries) < ENTRIES:
            return None
        sums = Counter()
        for account, cents, *_ in self.entries:
            sums[account] += cents
        return sums


def main():
    draw = random.Random(seed())
    last, began = deque(maxlen=900), time.monotonic()
    close, sums = None, None
    for number in arrivals(60):
        last.append({"number": number, "cents": draw.randrange(10**6), "text": f"booking {number}; " * 30})
        if close is None and sums is None and time.monotonic() - began > CLOSES_AFTER:
            close = Close()
        if close is not None:
            sums = close.read_more(draw)
            close = close if sums is None else None


if __name__ == "__main__":
    main()
