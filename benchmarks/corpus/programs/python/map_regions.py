"""A navigator of three hundred regions; a region is loaded when somebody first drives through it."""

import random

from traffic.shape import arrivals, seed

REGIONS = 300


class Region:
    """Roads by their start."""

    def __init__(self, number):
        draw = random.Random(number)
        self.roads = {
            place: [(draw.randrange(400), draw.random() * 9) for _ in range(4)] for place in range(170)
        }

    def drive(self, start, steps):
        """The length of a way that always takes the shortest road."""
        total, place = 0.0, start
        for _ in range(steps):
            place, length = min(self.roads[place % 170], key=lambda road: road[1])
            total += length
        return total


class Atlas:
    """What was loaded so far."""

    def __init__(self):
        self.regions = {}

    def region(self, number):
        if number not in self.regions:
            self.regions[number] = Region(number)
        return self.regions[number]


def main():
    draw = random.Random(seed())
    atlas, driven = Atlas(), 0.0
    for number in arrivals(40):
        known = number // 4 + 1
        driven += atlas.region(draw.randrange(min(known, REGIONS))).drive(draw.randrange(170), 30)
        driven += atlas.region(min(known, REGIONS) - 1).drive(draw.randrange(170), 30)


if __name__ == "__main__":
    main()
