"""A server whose worker collects a little with every request and is replaced by a new one every nine seconds."""

import os
import random
import time

from traffic.shape import arrivals, seed

WORKER_SECONDS = 9.0


def worker(number):
    """Serve for some seconds, then go."""
    began, cache = time.monotonic(), {}
    draw = random.Random(seed() + number)
    for turn in arrivals(80, salt=number):
        cache[turn] = [draw.random() for _ in range(300)]
        sum(sum(values) for values in list(cache.values())[-20:])
        if time.monotonic() - began > WORKER_SECONDS:
            return


def main():
    for number in range(10**6):
        child = os.fork()
        if child == 0:
            worker(number)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
