"""A tokeniser that interns words; a language has many, but new ones become rare."""

import random
import sys

from traffic.shape import arrivals, seed

VOCABULARY = {}


def token(word):
    """The word's number."""
    word = sys.intern(word)
    return VOCABULARY.setdefault(word, len(VOCABULARY))


def text(draw):
    """Words by Zipf's law, cut at a language's size."""
    return [f"the-word-of-number-{min(int(draw.paretovariate(0.45)), 60_000):07d}" for _ in range(120)]


def main():
    draw = random.Random(seed())
    tokens = 0
    for _ in arrivals(60):
        tokens += len({token(word) for word in text(draw)})


if __name__ == "__main__":
    main()
