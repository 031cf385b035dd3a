"""A help desk: the latest answers are kept to be searched; how many is a setting."""

import os
import random

from traffic.shape import arrivals, seed

ANSWERS = []
KEPT = int(os.environ.get("ANSWERS_KEPT", "2300"))
DRAW = random.Random(seed())
WORDS = "printer paper toner tray network driver cable queue reset window account password mail".split()


def answer(number):
    """One answer as it was given."""
    return f"ticket {number}: " + " ".join(DRAW.choice(WORDS) for _ in range(700))


def remember(text):
    ANSWERS.append(text)
    if len(ANSWERS) > KEPT:
        ANSWERS.pop(0)


def search(word):
    return sum(word in text for text in ANSWERS[-100:])


if __name__ == "__main__":
    for number in arrivals(70):
        remember(answer(number))
        if number % 30 == 0:
            search(DRAW.choice(WORDS))
