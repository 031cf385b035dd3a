"""A job that collects a day's records and closes the day every twenty seconds: a sawtooth of long period."""

import json
import random
import time

from traffic.shape import arrivals, seed

DAY_SECONDS = 20.0


def record(draw, number):
    return {
        "number": number,
        "customer": f"c{draw.randrange(9000)}",
        "items": [draw.randrange(10**6) for _ in range(40)],
    }


def close(day):
    """Sums by customer."""
    sums = {}
    for entry in day:
        sums[entry["customer"]] = sums.get(entry["customer"], 0) + sum(entry["items"])
    return len(json.dumps(sums))


def main():
    draw = random.Random(seed())
    day, due, closed = [], time.monotonic() + DAY_SECONDS, 0
    for number in arrivals(280):
        day.append(record(draw, number))
        if time.monotonic() > due:
            closed += close(day)
            day, due = [], due + DAY_SECONDS


if __name__ == "__main__":
    main()
