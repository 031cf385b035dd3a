"""A document service that keeps what was opened lately, rendered, for whoever opens it again."""

import random

from traffic.shape import arrivals, seed


class Recent:
    def __init__(self, most=2400):
        self.most = most
        self.items = {}

    def open(self, number):
        page = self.items.pop(number, None) or render(number)
        self.items[number] = page
        if len(self.items) > self.most:
            del self.items[next(iter(self.items))]
        return page


def render(number):
    return "".join(f"<p>paragraph {place} of document {number}</p>" for place in range(130))


if __name__ == "__main__":
    recent, draw = Recent(), random.Random(seed())
    for number in arrivals(75):
        recent.open(draw.randrange(900_000))
