"""A log in memory for the support page: lines are gathered into segments of a megabyte; fourteen stay."""

import random
from collections import deque

from traffic.shape import arrivals, seed

SEGMENT_BYTES = 1_000_000
SEGMENTS = 14


class Log:
    """The segment that is written, and those that are full."""

    def __init__(self):
        self.lines, self.size = [], 0
        self.segments = deque()

    def write(self, line):
        self.lines.append(line)
        self.size += len(line) + 1
        if self.size >= SEGMENT_BYTES:
            self.rotate()

    def rotate(self):
        self.segments.append("\n".join(self.lines).encode())
        self.lines, self.size = [], 0
        if len(self.segments) > SEGMENTS:
            self.segments.popleft()

    def find(self, word):
        """How often a word stands in the newest two segments."""
        return sum(segment.count(word) for segment in list(self.segments)[-2:])


def main():
    draw = random.Random(seed())
    log, found = Log(), 0
    for number in arrivals(150):
        request = f"{draw.getrandbits(64):016x}"
        for step in ("accepted", "checked", "priced", "stored", "answered"):
            log.write(f"{number} {request} {step} by worker {draw.randrange(16)} " + f"{step} in time; " * 24)
        if number % 100 == 0:
            found += log.find(b"priced")


if __name__ == "__main__":
    main()
