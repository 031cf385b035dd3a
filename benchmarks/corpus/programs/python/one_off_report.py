"""A small service that makes one large report in the middle of the run, and goes on as before."""

import random
import time

from traffic.shape import arrivals, seed


def large_report(draw):
    """All sales of a year by article, built up over some seconds."""
    rows = []
    for day in range(120):
        rows.extend(f"{day};{draw.randrange(9000)};{draw.random():.4f};sold in a shop" for _ in range(2500))
        time.sleep(0.06)
    sums = {}
    for row in rows:
        article = row.split(";")[1]
        sums[article] = sums.get(article, 0) + 1
    return len(sums)


def main():
    draw = random.Random(seed())
    began, reported = time.monotonic(), 0
    for number in arrivals(120):
        sum(len(f"{number}-{each}") for each in range(500))
        if not reported and time.monotonic() - began > 22:
            reported = large_report(draw)


if __name__ == "__main__":
    main()
