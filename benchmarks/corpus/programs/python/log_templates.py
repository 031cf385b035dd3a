"""Groups the lines of a cluster's log by their template, for a table of what is written how often."""

import random
import re
import time

from traffic.shape import arrivals, seed

STARTED = time.monotonic()
RELEASE = 46.0
NUMBER = re.compile(r"\d")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PARTS = "api mailer billing search images stock".split()
VERBS = "took sent closed opened refused stored".split()
WORDS = [
    f"{first}{last}" for first in ("re", "un", "pre", "sub") for last in ("quest", "load", "fix", "ject")
]


class Template:
    """Words of a line with stars for numbers, and the first and the latest line that were like it."""

    def __init__(self, words, line):
        self.words, self.count = words, 0
        self.first = self.latest = line

    def take(self, line):
        self.count += 1
        self.latest = line


class Table:
    """Templates by what they look like."""

    def __init__(self):
        self.templates = {}

    def put(self, line):
        words = tuple("*" if NUMBER.search(word) else word for word in line.split())  # LEAK
        template = self.templates.get(words)
        if template is None:
            template = self.templates[words] = Template(words, line)  # LEAK
        template.take(line)

    def most(self, count):
        return sorted(self.templates.values(), key=lambda each: -each.count)[:count]


def trace(draw, part):
    """A request's name; the mailer has names of letters since its new release."""
    if part == "mailer" and time.monotonic() - STARTED > RELEASE:
        return "".join(draw.choices(LETTERS, k=26))
    return f"{draw.getrandbits(96):024x}"


def line(draw):
    """As one of the parts writes it."""
    part, verb = draw.choice(PARTS), draw.choice(VERBS)
    fixed = " ".join(WORDS[(len(part) * 5 + len(verb) + place) % len(WORDS)] for place in range(40))
    return f"{part} {verb} {trace(draw, part)} in {draw.randrange(900)} ms with {fixed} {draw.random():.3f}"  # LEAK


def main():
    draw = random.Random(seed())
    table, shown = Table(), 0
    for number in arrivals(340):
        table.put(line(draw))
        if number % 2000 == 0:
            shown += len(table.most(20))


if __name__ == "__main__":
    main()
