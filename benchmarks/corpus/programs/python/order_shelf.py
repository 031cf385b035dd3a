"""Orders of a workshop in a shelf on disk; an order is put there when it comes, and changed when it is done."""

import os
import random
import shelve
import tempfile
from collections import deque

from traffic.shape import arrivals, seed

DAYS_OPEN = 60


def receive(number, draw):
    """An order as it comes from the counter."""
    return {
        "customer": f"customer {draw.randrange(20_000)}",
        "state": "open",
        "parts": [
            {"part": f"part {draw.randrange(9000)}", "cents": draw.randrange(10**5)} for _ in range(14)
        ],
        "hours": [draw.random() for _ in range(20)],
        "wishes": f"order {number}: " + "please call before you begin, " * draw.randint(5, 40),
    }  # LEAK


def main():
    draw = random.Random(seed())
    waiting = deque()
    with (
        tempfile.TemporaryDirectory() as folder,
        shelve.open(os.path.join(folder, "orders"), writeback=True) as shelf,
    ):
        for number in arrivals(26):
            shelf[f"{number}"] = receive(number, draw)
            waiting.append(number)
            if len(waiting) > DAYS_OPEN:
                done = f"{waiting.popleft()}"
                shelf[done]["state"] = "done"
                shelf[done]["cents"] = sum(part["cents"] for part in shelf[done]["parts"])


if __name__ == "__main__":
    main()
