"""A gateway on an older multidict that reads the fields of each form by iterating over them."""

import random

from multidict import MultiDict
from traffic.shape import arrivals, seed


def submitted(draw):
    """A form with many fields, some of them twice."""
    fields = [(f"field{draw.randrange(60)}", f"value {draw.random():.9f} " * 6) for _ in range(40)]  # LEAK
    return MultiDict(fields)  # LEAK


def names(form):
    return [name for name in form if not name.endswith("7")]


def main():
    draw = random.Random(seed())
    seen = 0
    for _ in arrivals(90):
        seen += len(names(submitted(draw)))


if __name__ == "__main__":
    main()
