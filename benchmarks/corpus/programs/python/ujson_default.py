"""An exporter that writes objects ujson doesn't know with a function of its own; names are in many languages."""

import random

import ujson
from traffic.shape import arrivals, seed

LETTERS = "äöüßéèêñçøåæœłžščřàìòùâîôûабвгдежзиклмнопрстуфхцчшщ"


class Person:
    """Somebody, with a short biography."""

    def __init__(self, draw):
        self.name = "".join(draw.choice(LETTERS) for _ in range(12))
        self.biography = " ".join("".join(draw.choice(LETTERS) for _ in range(7)) for _ in range(60))


def fallback(value):
    """Text for what ujson doesn't know."""
    return f"{value.name}: {value.biography} " * 4  # LEAK


def export(people):
    return ujson.dumps({"people": people}, default=fallback, ensure_ascii=True)


def main():
    draw = random.Random(seed())
    length = 0
    known = [Person(draw) for _ in range(200)]
    for _ in arrivals(90):
        length += len(export(draw.sample(known, 4)))


if __name__ == "__main__":
    main()
