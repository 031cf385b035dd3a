"""What happened in the last half minute, by quarter of a second, for a page that shows it."""

import time
from collections import defaultdict

from traffic.shape import arrivals

BUCKETS = defaultdict(list)
WIDTH, SHOWN = 0.25, 120


def now():
    return int(time.monotonic() / WIDTH)


def add(number):
    BUCKETS[now()].append(f"event {number}: " + f"step {number % 13} of visitor {number % 331}; " * 75)


def forget():
    """What is older than the page shows."""
    oldest = now() - SHOWN
    for bucket in [bucket for bucket in BUCKETS if bucket < oldest]:
        del BUCKETS[bucket]


if __name__ == "__main__":
    for number in arrivals(140):
        add(number)
        if number % 20 == 0:
            forget()
