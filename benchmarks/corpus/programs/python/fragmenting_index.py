"""A search index that is built in rounds: in each, many small entries are made and most are dropped again; those that
stay for a while lie all over the arenas, so that the memory is held, though little of it is used."""

import random

from traffic.shape import arrivals, seed


class Index:
    """Entries by word; a few of each round live on for some rounds."""

    def __init__(self):
        self.kept = {}

    def round(self, draw, number):
        entries = [
            f"word {draw.randrange(10**9)} at {position} " * draw.randint(1, 9) for position in range(40_000)
        ]
        self.kept[number] = entries[:: draw.randrange(60, 90)]
        self.kept.pop(number - 12, None)
        return sum(len(entry) for entry in entries)


def main():
    draw = random.Random(seed())
    index = Index()
    for number in arrivals(2):
        index.round(draw, number)


if __name__ == "__main__":
    main()
