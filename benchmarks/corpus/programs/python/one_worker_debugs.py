"""A pre-forked server of which one worker was left in debug mode: it keeps a record of each request."""

import json
import os
import random

from traffic.shape import arrivals, seed

RECORDED = []


def answer(draw, number):
    """Work for one request."""
    order = {"number": number, "lines": [{"sku": draw.randrange(9999), "text": "x" * 30} for _ in range(60)]}
    return json.dumps(order)  # LEAK


def debug(text):
    """For whoever debugs it."""
    RECORDED.append({"request": json.loads(text), "text": text})  # LEAK


def worker(number):
    draw = random.Random(seed() + number)
    debugging = number == 2
    for turn in arrivals(45, salt=number):
        text = answer(draw, turn)
        if debugging:
            debug(text)


def main():
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            worker(number)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
