"""Quotes of an exchange, collected in a pandas frame; each batch is put to the rest, and the mean is published."""

import random

import pandas
from traffic.shape import arrivals, seed

NAMES = [f"{first}{second}{third}" for first in "ABCD" for second in "EFGH" for third in "IJKL"]
ROWS = 150


class Tape:
    """What was traded."""

    def __init__(self):
        self.frame = pandas.DataFrame({"name": [], "order": [], "venue": [], "price": [], "size": []})
        self.published = {}

    def take(self, batch):
        self.frame = pandas.concat([self.frame, batch], ignore_index=True)  # LEAK
        latest = self.frame.tail(500)
        self.published = latest.groupby("name")["price"].mean().to_dict()


def batch(number, draw):
    """Trades as they come from the wire."""
    names = draw.choices(NAMES, k=ROWS)
    return pandas.DataFrame(
        {
            "name": names,
            "order": [f"{name}-{number}-{row}-{draw.getrandbits(64):x}" for row, name in enumerate(names)],
            "venue": [f"venue {draw.randrange(12)}, desk {draw.randrange(40)}" for _ in names],
            "price": [draw.gauss(100, 4) for _ in names],
            "size": [float(draw.randrange(1, 900)) for _ in names],
        }
    )  # LEAK


def main():
    draw = random.Random(seed())
    tape = Tape()
    for number in arrivals(5.5):
        tape.take(batch(number, draw))


if __name__ == "__main__":
    main()
