"""A store of documents that appends each version; when five thousand old ones lie about, the living are copied out."""

import random

from traffic.shape import arrivals, seed

DOCUMENTS = 2000
MOST_OLD = 5000


class Heap:
    """Versions in the order of their writing, and where the newest one of each document is."""

    def __init__(self):
        self.versions, self.newest = [], {}

    def write(self, key, text):
        self.newest[key] = len(self.versions)
        self.versions.append((key, text))
        if len(self.versions) - len(self.newest) > MOST_OLD:
            self.vacuum()

    def read(self, key):
        return self.versions[self.newest[key]][1] if key in self.newest else ""

    def vacuum(self):
        living = [self.versions[place] for place in sorted(self.newest.values())]
        self.versions = living
        self.newest = {key: place for place, (key, _) in enumerate(living)}


def main():
    draw = random.Random(seed())
    heap, length = Heap(), 0
    for number in arrivals(210):
        key = draw.randrange(DOCUMENTS)
        heap.write(key, f"document {key}, version {number}: " + f"{draw.getrandbits(64):016x} " * 130)
        length += len(heap.read(draw.randrange(DOCUMENTS)))


if __name__ == "__main__":
    main()
