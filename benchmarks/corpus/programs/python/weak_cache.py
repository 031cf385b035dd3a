"""A map server that shares tiles between requests by weak references: a tile lives as long as somebody shows it."""

import random
import weakref
from collections import deque

from traffic.shape import arrivals, seed

TILES = weakref.WeakValueDictionary()


class Tile:
    """A square of the map."""

    def __init__(self, place):
        self.place = place
        self.pixels = [bytes((place[0] * row + place[1]) % 256 for _ in range(64)) for row in range(64)]


def tile(place):
    found = TILES.get(place)
    if found is None:
        found = TILES[place] = Tile(place)
    return found


def main():
    draw = random.Random(seed())
    screens = deque(maxlen=220)
    x, y = 500, 500
    for _ in arrivals(30):
        x, y = (x + draw.randint(-3, 3)) % 1000, (y + draw.randint(-3, 3)) % 1000
        screens.append([tile((x + dx, y + dy)) for dx in range(4) for dy in range(3)])


if __name__ == "__main__":
    main()
