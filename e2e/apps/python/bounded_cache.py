"""Healthy: a least-recently-used cache with a bound, which fills as keys come in at random, and then stays."""

import random
import time
from functools import lru_cache


@lru_cache(maxsize=3_000)
def thumbnail(number):
    """Compute what is worth keeping."""
    return [f"{number}/{pixel}" for pixel in range(120)]


def main():
    draw = random.Random(11)
    while True:
        for _ in range(7):
            thumbnail(draw.randrange(4_000))
        time.sleep(0.04)


if __name__ == "__main__":
    main()
