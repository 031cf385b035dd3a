"""Readings of machines, gathered for an hour and then summed by pandas; the hour here takes seven seconds."""

import io
import random
import time

import pandas
from traffic.shape import arrivals, seed

HOUR_SECONDS = 7.0
MACHINES = 40


def readings(draw):
    """What comes from one gateway at once."""
    at = time.time()
    return [
        {
            "at": at,
            "machine": f"machine-{draw.randrange(MACHINES)}",
            "kind": draw.choice("abcd"),
            "value": draw.random(),
        }
        for _ in range(120)
    ]


def roll_up(gathered, screen):
    """Means and extremes by machine and kind, written as text."""
    frame = pandas.DataFrame(gathered)
    frame["share"] = frame["value"] / frame.groupby("machine")["value"].transform("sum")
    wide = frame.merge(
        frame.groupby("kind", as_index=False)["value"].mean(), on="kind", suffixes=("", "_mean")
    )
    summed = wide.groupby(["machine", "kind"])["share"].agg(["mean", "min", "max"])
    screen.seek(0)
    screen.truncate()
    summed.to_csv(screen)
    return len(summed)


def main():
    draw = random.Random(seed())
    gathered, screen, written = [], io.StringIO(), 0
    ends = time.monotonic() + HOUR_SECONDS
    for _ in arrivals(40):
        gathered.extend(readings(draw))
        if time.monotonic() > ends:
            written += roll_up(gathered, screen)
            gathered, ends = [], time.monotonic() + HOUR_SECONDS


if __name__ == "__main__":
    main()
