"""Hints for words that are spelled wrong: found ones are kept in the newer of two tables, which takes the older one's
place when it has nine hundred.
"""

import random
import string

from traffic.shape import arrivals, seed

MOST = 900


class Hints:
    """Two tables; what is used again moves into the newer one."""

    def __init__(self):
        self.newer, self.older = {}, {}

    def get(self, word):
        found = self.newer.get(word)
        if found is None:
            found = self.older.get(word) or candidates(word)
            if len(self.newer) >= MOST:
                self.older, self.newer = self.newer, {}
            self.newer[word] = found
        return found


def candidates(word):
    """Words with one letter changed."""
    changed = [
        word[:place] + letter + word[place + 1 :] for place in (0, 3, 5) for letter in string.ascii_lowercase
    ]
    return {each: sum(each.encode()) for each in changed}


def main():
    draw = random.Random(seed())
    hints, shown = Hints(), 0
    for _ in arrivals(140):
        number = int(draw.paretovariate(0.12)) % 60_000
        word = f"{number * 7919 % 10**9:09}".translate(str.maketrans("0123456789", "etaoinshrd"))
        shown += len(hints.get(word))


if __name__ == "__main__":
    main()
