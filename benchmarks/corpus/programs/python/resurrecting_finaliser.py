"""A pool of parsers whose finaliser puts them back to be used again; nobody ever takes one from there."""

import random

from traffic.shape import arrivals, seed

SPARE = []


class Parser:
    """Splits lines into cells; big tables are worth keeping."""

    def __init__(self):
        self.table = {code: chr(code) * 3 for code in range(32, 300)}  # LEAK
        self.itself = self

    def parse(self, line):
        return [self.table.get(ord(letter), "?") for letter in line]

    def __del__(self):
        SPARE.append(self)


def take():
    """A parser for one file."""
    return Parser()


def main():
    draw = random.Random(seed())
    cells = 0
    for number in arrivals(35):
        parser = take()
        for _ in range(5):
            cells += len(parser.parse(f"{number};{draw.random()};{draw.randrange(10**9)}"))


if __name__ == "__main__":
    main()
