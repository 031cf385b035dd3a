"""Offers of shops, watched for an hour: the newest rows stay in a pandas frame, from which medians are published."""

import random

import pandas
from traffic.shape import arrivals, seed

ROWS = 150
WINDOW_ROWS = 55_000
GOODS = [f"{kind} {size}" for kind in ("tea", "rice", "salt", "oil", "soap") for size in range(30)]


class Window:
    """The newest rows, and what was made of them last."""

    def __init__(self):
        self.frame = pandas.DataFrame({"good": [], "offer": [], "shop": [], "price": [], "stock": []})
        self.published = {}

    def take(self, batch):
        frame = pandas.concat([self.frame, batch], ignore_index=True)
        self.frame = frame.iloc[-WINDOW_ROWS:]
        latest = self.frame.tail(1500)
        self.published = latest.groupby("good")["price"].median().to_dict()


def batch(number, draw):
    """Offers as a crawler delivers them."""
    goods = draw.choices(GOODS, k=ROWS)
    return pandas.DataFrame(
        {
            "good": goods,
            "offer": [
                f"offer {number}.{row}: {good}, {draw.getrandbits(80):020x}" for row, good in enumerate(goods)
            ],
            "shop": [
                f"shop {draw.randrange(700)} in {draw.choice('ABCDEFGH')}, page {draw.randrange(60)}"
                for _ in goods
            ],
            "price": [draw.gauss(9, 2) for _ in goods],
            "stock": [float(draw.randrange(400)) for _ in goods],
        }
    )


def main():
    draw = random.Random(seed())
    window = Window()
    for number in arrivals(5.5):
        window.take(batch(number, draw))


if __name__ == "__main__":
    main()
