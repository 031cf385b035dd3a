"""Inspects a web of paper by a line camera: of each defect a narrow strip is kept, for the report on the roll."""

import random
from collections import defaultdict

import numpy as np
from traffic.shape import arrivals, seed

HEIGHT, WIDTH = 250, 440


class Roll:
    """Strips by kind of defect."""

    def __init__(self):
        self.strips = defaultdict(list)
        self.inspected = 0

    def inspect(self, picture):
        """Look for rows that are too dark or too bright."""
        self.inspected += 1
        rows = picture.mean(axis=1)
        worst = int(np.abs(rows - 128).argmax())
        if abs(rows[worst] - 128) > 20:
            kind = "dark" if rows[worst] < 128 else "bright"
            self.strips[kind].append(picture[max(worst - 1, 0) : worst + 2, ::8])


def picture(generator, draw):
    grey = generator.integers(100, 157, (HEIGHT, WIDTH), dtype=np.uint8)
    if draw.random() < 0.14:
        row = draw.randrange(HEIGHT)
        grey[row] = draw.choice([30, 230])
    return grey


def main():
    draw = random.Random(seed())
    generator = np.random.default_rng(draw.randrange(2**31))
    roll = Roll()
    for _ in arrivals(14):
        roll.inspect(picture(generator, draw))


if __name__ == "__main__":
    main()
