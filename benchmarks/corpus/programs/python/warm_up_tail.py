"""A geocoder that loads its index region by region, the big regions first, while it already answers."""

import random
import threading
import time

from traffic.shape import arrivals, seed

INDEX = {}


def load_region(number, size):
    """Streets of a region with their places."""
    draw = random.Random(number)
    INDEX[number] = {
        f"street {street} in region {number}": (draw.uniform(-90, 90), draw.uniform(-180, 180))
        for street in range(size)
    }


def load():
    """Each region is smaller than the one before."""
    size = 22_000.0
    for number in range(40):
        load_region(number, int(size))
        size *= 0.84
        time.sleep(0.9)


def main():
    threading.Thread(target=load, daemon=True).start()
    draw = random.Random(seed())
    found = 0
    for _ in arrivals(150):
        region = draw.randrange(40)
        found += f"street {draw.randrange(4000)} in region {region}" in INDEX.get(region, ())
        sorted(draw.random() for _ in range(200))


if __name__ == "__main__":
    main()
