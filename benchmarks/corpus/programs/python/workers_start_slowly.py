"""A server that starts one worker after the other, each with a model of its own, until there are five."""

import os
import random
import time

from traffic.shape import arrivals, seed


def load_model(number):
    """Weights by word."""
    draw = random.Random(number)
    return {f"word{each}": [draw.random() for _ in range(6)] for each in range(30000)}


def worker(number):
    model = load_model(number)
    draw = random.Random(seed() + number)
    for _ in arrivals(30, salt=number):
        sum(model[f"word{draw.randrange(30_000)}"][0] for _ in range(300))


def main():
    children = []
    for number in range(5):
        child = os.fork()
        if child == 0:
            worker(number)
            os._exit(0)
        children.append(child)
        time.sleep(7)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
