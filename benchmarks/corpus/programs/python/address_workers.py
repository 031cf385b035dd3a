"""Finds places for addresses in three processes; each of them remembers its answers by functools."""

import multiprocessing
import random
import signal
import sys
from functools import lru_cache

from traffic.shape import arrivals, seed

WORKERS = 3
ADDRESSES = 5500
REMEMBERED = 2500


@lru_cache(maxsize=REMEMBERED)
def place(address):
    """Candidates for an address, the best one first."""
    draw = random.Random(address)
    found = [
        {"name": f"{address}, house {house}", "at": (draw.uniform(-90, 90), draw.uniform(-180, 180))}
        for house in range(draw.randint(5, 22))
    ]
    return sorted(found, key=lambda one: one["at"])


def work(addresses, answers):
    while True:
        address = addresses.get()
        answers.put((address, place(address)[0]["at"]))


def main():
    draw = random.Random(seed())
    context = multiprocessing.get_context("fork")
    addresses, answers = context.Queue(200), context.Queue(200)
    for _ in range(WORKERS):
        context.Process(target=work, args=(addresses, answers), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for number in arrivals(130):
        addresses.put(f"street {draw.randrange(ADDRESSES)}")
        if number >= 100:
            answers.get()


if __name__ == "__main__":
    main()
