"""Counts different visitors of two hundred pages: exactly up to five hundred of them, by a sketch from there on."""

import random
import zlib

from traffic.shape import arrivals, seed

PAGES = 200
EXACT = 500
REGISTERS = 2048


class Unique:
    """Visitors of one page; at first by name, later how rare the rarest hash of each register was."""

    def __init__(self):
        self.names, self.registers = set(), None

    def add(self, name):
        if self.registers is not None:
            self.note(name)
            return
        self.names.add(name)
        if len(self.names) > EXACT:
            self.registers = bytearray(REGISTERS)
            for each in self.names:
                self.note(each)
            self.names = set()

    def note(self, name):
        value = zlib.crc32(name.encode())
        place, rest = value % REGISTERS, value // REGISTERS
        self.registers[place] = max(self.registers[place], 22 - rest.bit_length())


def main():
    draw = random.Random(seed())
    pages = [Unique() for _ in range(PAGES)]
    for _ in arrivals(110):
        visitor = f"visitor-{draw.getrandbits(96):024x}@{draw.randrange(256)}.example"
        for _ in range(25):
            pages[int(draw.triangular(0, PAGES, PAGES * 0.6))].add(f"{visitor}/{draw.randrange(4)}")


if __name__ == "__main__":
    main()
