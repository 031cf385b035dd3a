"""Readings of electricity meters go to billing and to a check of their quality that looks at few of them."""

import itertools
import random

from traffic.shape import arrivals, seed


def readings(draw):
    """One day of a meter at a time."""
    for number in arrivals(180):
        load = draw.uniform(0.2, 4.0)
        yield {
            "meter": draw.randrange(9000),
            "number": number,
            "hours": [load * draw.random() for _ in range(36)],
        }  # LEAK


def billed(reading):
    return sum(hour * (0.31 if 6 < place % 24 < 22 else 0.22) for place, hour in enumerate(reading["hours"]))


def plausible(reading):
    return all(0 <= hour < 9 for hour in reading["hours"])


def main():
    draw = random.Random(seed())
    billing, quality = itertools.tee(readings(draw))
    total, doubtful = 0.0, 0
    for reading in billing:
        total += billed(reading)
        if reading["number"] % 25 == 0:
            doubtful += not plausible(next(quality))


if __name__ == "__main__":
    main()
