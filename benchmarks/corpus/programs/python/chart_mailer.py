"""Mails to shops with a chart of their sales, drawn by matplotlib; each shop gets its mail when its day ends."""

import io
import random

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from traffic.shape import arrivals, seed

HOURS = 24
PRODUCTS = ("bread", "milk", "paper")


class Outbox:
    """How many mails went out, and their size."""

    def __init__(self):
        self.sent, self.bytes = 0, 0

    def send(self, shop, picture):
        self.sent += 1
        self.bytes += len(picture)


def sales(draw):
    """Sums by hour of each product."""
    return {name: [max(0.0, draw.gauss(200, 60)) for _ in range(HOURS)] for name in PRODUCTS}


def chart(shop, sold):
    """The picture as PNG."""
    figure, axes = pyplot.subplots(figsize=(4.0, 2.4), dpi=80)  # LEAK
    for name, values in sold.items():
        axes.plot(range(HOURS), values, label=name)  # LEAK
    axes.set_title(f"Shop {shop}")  # LEAK
    axes.legend()  # LEAK
    picture = io.BytesIO()
    figure.savefig(picture)  # LEAK
    return picture.getvalue()


def main():
    draw = random.Random(seed())
    matplotlib.rcParams["figure.max_open_warning"] = 0
    outbox = Outbox()
    for _ in arrivals(0.75):
        shop = draw.randrange(400)
        outbox.send(shop, chart(shop, sales(draw)))


if __name__ == "__main__":
    main()
