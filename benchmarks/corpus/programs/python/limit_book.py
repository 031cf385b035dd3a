"""A matching engine for one share: limit orders rest in two heaps, best price first; most are withdrawn again."""

import heapq
import random

from traffic.shape import arrivals, seed


class Order:
    """An order as it came, and what is left of it."""

    __slots__ = ("events", "fields", "left", "number", "price", "side")

    def __init__(self, number, fields):
        self.number, self.fields = number, fields
        self.side, self.price, self.left = fields["side"], int(fields["price"]), int(fields["quantity"])
        self.events = [f"{number}.0 accepted at {self.price} for {self.left} of {fields['account']}"]  # LEAK


class Book:
    """Orders that rest: by number, and by price."""

    def __init__(self):
        self.resting, self.sides, self.traded, self.last = {}, {"buy": [], "sell": []}, 0, 10_000

    def best(self, side):
        heap = self.sides[side]
        while heap and not heap[0][2].left:
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def place(self, number, text):
        fields = dict(part.split("=") for part in text.split("|"))  # LEAK
        order = Order(number, fields)  # LEAK
        other, sign = ("sell", 1) if order.side == "buy" else ("buy", -1)
        while order.left and (against := self.best(other)) and sign * (order.price - against.price) >= 0:
            quantity = min(order.left, against.left)
            order.left -= quantity
            against.left -= quantity
            self.traded, self.last = self.traded + quantity, against.price
            if not against.left:
                del self.resting[against.number]
        if order.left:
            self.resting[number] = order
            heapq.heappush(self.sides[order.side], (-sign * order.price, number, order))  # LEAK

    def withdraw(self, number):
        order = self.resting.pop(number, None)
        if order is not None:
            order.events.append(f"{number}.1 withdrawn, {order.left} left")  # LEAK
            order.left = 0


def message(number, draw, middle):
    """An order as a member sends it."""
    side = draw.choice(["buy", "sell"])
    away = int(draw.expovariate(1 / 90)) - 8
    price = middle - away if side == "buy" else middle + away
    return (
        f"side={side}|price={price}|quantity={draw.randint(1, 40) * 10}|account=A{draw.randrange(900):04d}"
        f"|member=M{draw.randrange(60)}|client={draw.getrandbits(96):024x}|strategy=S{draw.randrange(5000)}"
        f"|time={number:012d}|session={draw.getrandbits(48):012x}|route=R{draw.randrange(200)}"
    )


def main():
    draw, book, sent, middle = random.Random(seed()), Book(), [], 10_000.0
    for number in arrivals(210):
        middle += draw.gauss(0, 0.6) + (10_000 - middle) * 0.001
        if sent and draw.random() < 0.46:
            book.withdraw(sent.pop(draw.randrange(max(len(sent) - 400, 0), len(sent))))
            continue
        book.place(number, message(number, draw, int(middle)))
        sent = [*sent[-600:], number]


if __name__ == "__main__":
    main()
