"""Finds what is like a text: vectors of the last 18000 texts, in one array that is doubled when it is full."""

import random

import numpy as np
from traffic.shape import arrivals, seed

LENGTH = 320
MOST = 18_000


class Recent:
    """Rows of an array; the oldest are written over once there is no more room."""

    def __init__(self):
        self.rows = np.empty((512, LENGTH), dtype=np.float32)
        self.count = self.next = 0

    def add(self, vectors):
        for vector in vectors:
            if self.next == len(self.rows) and self.next < MOST:
                self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])[:MOST].copy()
            self.next %= len(self.rows)
            self.rows[self.next] = vector
            self.next += 1
            self.count = max(self.count, self.next)

    def nearest(self, vector, count):
        """Among the first two thousand."""
        products = self.rows[: min(self.count, 2000)] @ vector
        return np.argsort(products)[-count:]


def main():
    draw = random.Random(seed())
    generator = np.random.default_rng(draw.randrange(2**31))
    recent, found = Recent(), 0
    for number in arrivals(14):
        vectors = generator.standard_normal((32, LENGTH), dtype=np.float32)
        recent.add(vectors)
        if number % 20 == 0:
            found += len(recent.nearest(vectors[0], 10))


if __name__ == "__main__":
    main()
