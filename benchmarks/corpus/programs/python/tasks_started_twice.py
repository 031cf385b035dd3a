"""A pre-forked service whose workers all start the nightly refresher, which was meant for one of them.

The first worker hands over what the refresher found; in the others it piles up.
"""

import json
import os
import random
import threading
import time

from traffic.shape import arrivals, seed

PENDING = []


def refresh(number):
    """Fetch prices again and again and put them where they are published from."""
    draw = random.Random(seed() + number)
    for turn in arrivals(20, salt=number):
        prices = {f"article-{each}": draw.random() for each in range(220)}
        PENDING.append(json.dumps({"turn": turn, "prices": prices}))  # LEAK


def publish():
    """Only the first worker publishes."""
    while True:
        time.sleep(0.5)
        while PENDING:
            json.loads(PENDING.pop())


def worker(number):
    threading.Thread(target=refresh, args=(number,), daemon=True).start()
    if number == 0:
        threading.Thread(target=publish, daemon=True).start()
    for turn in arrivals(60, salt=100 + number):
        sum(len(str(each * turn)) for each in range(300))


def main():
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            worker(number)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
