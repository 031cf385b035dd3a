"""Baskets of seven hundred visitors: one puts something in or pays and goes, and somebody else takes the place."""

import random

from traffic.shape import arrivals, seed

VISITORS = 700
PAYS = 0.09


def line(draw, visitor):
    return {
        "sku": draw.randrange(90_000),
        "quantity": draw.randint(1, 9),
        "note": f"visitor {visitor}: " + "x" * draw.randrange(200, 2400),
        "prices": [draw.randrange(10**6) for _ in range(12)],
    }


class Basket:
    """What one visitor wants."""

    def __init__(self, visitor):
        self.visitor, self.lines = visitor, []

    def total(self):
        return sum(each["quantity"] * each["prices"][0] for each in self.lines)


def filled(draw, visitor):
    """A basket as it is found at some moment of a long day."""
    basket = Basket(visitor)
    while draw.random() > PAYS:
        basket.lines.append(line(draw, visitor))
    return basket


def main():
    draw = random.Random(seed())
    baskets = [filled(draw, visitor) for visitor in range(VISITORS)]
    sold = 0
    for number in arrivals(160):
        place = draw.randrange(VISITORS)
        if draw.random() < PAYS:
            sold += baskets[place].total()
            baskets[place] = Basket(VISITORS + number)
        else:
            baskets[place].lines.append(line(draw, place))


if __name__ == "__main__":
    main()
