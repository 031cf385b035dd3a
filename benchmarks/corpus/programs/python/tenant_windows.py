"""Sums of usage by tenant and window of two seconds; a window is written when the tenant's next one begins."""

import random
import time

from traffic.shape import arrivals, seed

WINDOW_SECONDS = 2.0
BUCKETS = 160


class Window:
    """What a tenant did in one window."""

    def __init__(self, begins):
        self.begins = begins
        self.histogram = [0.0] * BUCKETS  # LEAK
        self.calls = []

    def add(self, tenant, milliseconds):
        self.histogram[min(int(milliseconds / 5), BUCKETS - 1)] += milliseconds
        self.calls.append(
            {"tenant": tenant, "ms": milliseconds, "labels": [f"{tenant}/{step}" for step in range(8)]}
        )  # LEAK


class Usage:
    """The present window of each tenant, and what was written."""

    def __init__(self):
        self.windows, self.written = {}, 0.0

    def add(self, tenant, milliseconds):
        begins = time.monotonic() // WINDOW_SECONDS
        window = self.windows.get(tenant)
        if window is None or window.begins != begins:
            if window is not None:
                self.written += sum(window.histogram)
            window = self.windows[tenant] = Window(begins)
        window.add(tenant, milliseconds)


def main():
    draw = random.Random(seed())
    usage = Usage()
    for number in arrivals(75):
        if draw.random() < 0.7:
            usage.add(f"tenant-{draw.randrange(120)}", draw.expovariate(1 / 90))
            continue
        trial = f"trial-{number:08d}-{draw.getrandbits(32):08x}"
        for _ in range(draw.randint(2, 6)):
            usage.add(trial, draw.expovariate(1 / 90))


if __name__ == "__main__":
    main()
