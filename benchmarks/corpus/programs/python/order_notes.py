"""A shop floor: orders are open for a while; notes on an order are kept beside it, as long as the order is there."""

import random
import weakref
from collections import deque

from traffic.shape import arrivals, seed

OPEN_ORDERS = 150


class Order:
    """What is to be made."""

    def __init__(self, number, draw):
        self.number = number
        self.parts = [f"part {draw.randrange(10**6)} of order {number}" for _ in range(40)]  # LEAK


class Notes:
    """What was said about an order."""

    def __init__(self, order):
        self.order, self.texts = order, []

    def add(self, text):
        self.texts.append(f"order {self.order.number}: {text}")  # LEAK


class Floor:
    """Open orders, and notes on them."""

    def __init__(self):
        self.orders = deque(maxlen=OPEN_ORDERS)
        self.notes = weakref.WeakKeyDictionary()

    def accept(self, order):
        self.orders.append(order)

    def note(self, order, text):
        if order not in self.notes:
            self.notes[order] = Notes(order)  # LEAK
        self.notes[order].add(text)


def main():
    draw = random.Random(seed())
    floor = Floor()
    for number in arrivals(75):
        floor.accept(Order(number, draw))
        if draw.random() < 0.6:
            order = draw.choice(floor.orders)
            for step in range(draw.randint(1, 5)):
                floor.note(
                    order, f"step {step} takes {draw.random() * 9:.1f} minutes more than planned; " * 4
                )


if __name__ == "__main__":
    main()
