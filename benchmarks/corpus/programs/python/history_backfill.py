"""Copies orders to a warehouse: first the history of three years, month by month, then what is new, as it comes."""

import random
from collections import OrderedDict

from traffic.shape import arrivals, seed

MONTHS = [f"{year}-{month:02d}" for year in (2023, 2024, 2025) for month in range(1, 13)]
PAGES_A_MONTH = 72
PAGE = 20
RECENT = 2000


class Warehouse:
    """Sums by month and region."""

    def __init__(self):
        self.sums, self.twice = {}, 0

    def book(self, month, order):
        key = month, order["region"]
        self.sums[key] = self.sums.get(key, 0.0) + order["amount"]


def page(month, number, draw):
    """Orders as the shop's interface gives them; some are on two pages, because they were changed meanwhile."""
    for place in range(PAGE):
        shift = 1 if draw.random() < 0.03 else 0
        name = f"{month}/{number - shift:05d}/{place:02d}"
        yield {
            "id": name,
            "region": draw.randrange(12),
            "amount": draw.random() * 100,
            "lines": [f"{name}: article {draw.randrange(9000)}" for _ in range(draw.randint(2, 9))],
        }


def backfill(pages, warehouse, draw):
    """All months; an order that was changed meanwhile counts as it was seen last, so all are known until the end."""
    known = {}
    for month in MONTHS:
        for number in range(PAGES_A_MONTH):
            next(pages)
            for order in page(month, number, draw):
                warehouse.twice += order["id"] in known
                known[order["id"]] = month, order
    for month, order in known.values():
        warehouse.book(month, order)


def follow(pages, warehouse, draw):
    """What is new; an order comes a second time within a day or not at all."""
    recent = OrderedDict()
    for number in pages:
        for order in page("now", number, draw):
            if order["id"] in recent:
                warehouse.twice += 1
                continue
            warehouse.book("now", order)
            recent[order["id"]] = len(order["lines"])
            if len(recent) > RECENT:
                recent.popitem(last=False)


def main():
    draw = random.Random(seed())
    pages, warehouse = arrivals(30), Warehouse()
    backfill(pages, warehouse, draw)
    follow(pages, warehouse, draw)


if __name__ == "__main__":
    main()
