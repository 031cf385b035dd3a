"""A board of offers: when an offer is gone, those who looked at it are counted."""

import random
import weakref
from collections import deque

from traffic.shape import arrivals, seed


class Offer:
    """Something for sale, for a short while."""

    def __init__(self, number, draw):
        self.number = number
        self.prices = [draw.randrange(1000) for _ in range(60)]


class Board:
    """Knows when offers disappear."""

    def __init__(self):
        self.looking = []
        self.told = 0

    def watch(self, offer, who):
        """What `who` saw, for the time after the offer is gone."""
        last = {
            f"{who}/{offer.number}/{day}": price * 7 + day for day, price in enumerate(offer.prices)
        }  # LEAK
        self.looking.append((weakref.ref(offer, self.gone), last))

    def gone(self, reference):
        self.told += 1


def main():
    draw = random.Random(seed())
    board, shown = Board(), deque(maxlen=90)
    for number in arrivals(40):
        offer = Offer(number, draw)
        shown.append(offer)
        board.watch(offer, f"visitor-{draw.getrandbits(40):010x}")


if __name__ == "__main__":
    main()
