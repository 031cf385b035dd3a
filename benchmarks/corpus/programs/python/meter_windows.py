"""Sums readings of meters by windows of event time; a window is done when all four regions are past its end."""

import array
import random
import time
from collections import deque

from traffic.shape import arrivals, seed

WINDOW_SECONDS = 4.0
IDLE_SECONDS = 24.0
VALUES = 288
REGIONS = ["north", "south", "east", "islands"]


class Watermark:
    """How far all regions are; one that says nothing for long is not waited for."""

    def __init__(self, now):
        self.seen = dict.fromkeys(REGIONS, now)
        self.heard = dict.fromkeys(REGIONS, now)

    def take(self, region, at, now):
        self.seen[region], self.heard[region] = max(self.seen[region], at), now

    def reached(self, now):
        awake = [region for region in REGIONS if now - self.heard[region] < IDLE_SECONDS]
        return min((self.seen[region] for region in awake), default=now)


class Windows:
    """Readings of open windows, by meter."""

    def __init__(self):
        self.open, self.done, self.closed = {}, deque(maxlen=60), 0

    def put(self, reading):
        start = int(reading["at"] // WINDOW_SECONDS)
        if start > self.closed:
            self.open.setdefault(start, {}).setdefault(reading["meter"], []).append(reading)

    def close(self, until):
        for start in sorted(self.open):
            if (start + 1) * WINDOW_SECONDS > until:
                break
            meters, self.closed = self.open.pop(start), start
            used = sum(max(each["counts"]) for readings in meters.values() for each in readings)
            self.done.append((start, len(meters), used))


def silences(draw, began):
    """When the islands' line is down; what they would have said then is lost."""
    until = began
    while True:
        at = until + draw.uniform(7, 14)
        until = at + draw.uniform(20, 36)
        yield at, until


def main():
    draw, now = random.Random(seed()), time.monotonic()
    watermark, windows, down = Watermark(now), Windows(), silences(draw, now)
    off, on = next(down)
    for number in arrivals(480):
        now = time.monotonic()
        if now > on:
            off, on = next(down)
        region = REGIONS[number % 4]
        if region == "islands" and off < now < on:
            continue
        counts = array.array("I", draw.randbytes(4 * VALUES))
        at = now - draw.expovariate(2.0)
        windows.put({"meter": draw.randrange(2600), "region": region, "at": at, "counts": counts})
        watermark.take(region, at, now)
        if number % 50 == 0:
            windows.close(watermark.reached(now) - 1.0)


if __name__ == "__main__":
    main()
