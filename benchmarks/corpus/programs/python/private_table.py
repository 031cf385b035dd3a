"""A calculator for what-if questions: a table is mapped from its file, and changed in memory only."""

import mmap
import os
import random
import struct
import tempfile

from traffic.shape import arrivals, seed

SIZE = 40 << 20
CELL = struct.Struct("<d")


class Table:
    """Numbers by place; the file stays as it is."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.cells = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def change(self, place, factor):
        (value,) = CELL.unpack_from(self.cells, place * CELL.size)
        CELL.pack_into(self.cells, place * CELL.size, value * factor + 1.0)

    def value(self, place):
        return CELL.unpack_from(self.cells, place * CELL.size)[0]


def make_file(folder):
    path = os.path.join(folder, "table.bin")
    row = struct.pack("<512d", *(float(column) for column in range(512)))
    with open(path, "wb") as file:
        for _ in range(SIZE // len(row)):
            file.write(row)
    return path


def main():
    draw = random.Random(seed())
    cells, total = SIZE // CELL.size, 0.0
    with tempfile.TemporaryDirectory() as folder:
        table = Table(make_file(folder))
    for _ in arrivals(110):
        for _ in range(3):
            table.change(draw.randrange(cells), draw.uniform(0.9, 1.1))
        total += table.value(draw.randrange(cells))


if __name__ == "__main__":
    main()
