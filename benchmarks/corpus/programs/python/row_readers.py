"""A report builder: for the columns of each report a reader is generated, whose lines a traceback can show."""

import itertools
import linecache
import random

from traffic.shape import arrivals, seed

COLUMNS = [f"{word}_{place}" for place in range(12) for word in "amount rate tax weight cost count".split()]
NUMBERS = itertools.count(1)


def source(columns):
    lines = ["def read(row):\n", "    result = {}\n"]
    lines += [
        f"    result['{name}'] = float(row[{COLUMNS.index(name)}] or 0)  # {name} as a number\n"
        for name in columns
    ]  # LEAK
    return [*lines, "    return result\n"]


def reader(columns):
    """A function that reads these columns of a row."""
    lines = source(columns)
    text, file = "".join(lines), f"<reader {next(NUMBERS)}>"
    linecache.cache[file] = len(text), None, lines, file  # LEAK
    space = {}
    exec(compile(text, file, "exec"), space)
    return space["read"]


def report(columns, rows):
    """Sums by column."""
    read = reader(columns)
    sums = dict.fromkeys(columns, 0.0)
    for row in rows:
        for name, value in read(row).items():
            sums[name] += value
    return sums


def main():
    draw = random.Random(seed())
    rows = [[draw.randrange(10**5) for _ in COLUMNS] for _ in range(12)]
    made = 0
    for _ in arrivals(75):
        made += len(report(draw.sample(COLUMNS, draw.randint(18, 36)), rows))


if __name__ == "__main__":
    main()
