"""Allocation-bound loops: told a number on standard input, it runs the loop so often and answers with its CPU time."""

import json
import sys
import time

import other_profiler

other_profiler.start()


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


DATA = [{"id": i, "name": f"name {i}", "tags": ["a", "b", str(i)], "value": i / 7} for i in range(3000)]


def json_loop():
    """JSON out and in."""
    json.loads(json.dumps(DATA))


def churn():
    """Small objects that live for a moment."""
    for _ in range(30000):
        Point(1, [2])


def objects():
    """Many small objects, kept together and dropped together."""
    [Point(i, [i]) for i in range(30000)]


def dicts():
    """Dictionaries with strings and tuples, kept together and dropped together."""
    [{"number": i, "text": str(i), "more": (i, i)} for i in range(30000)]


LOOPS = {"json": json_loop, "churn": churn, "objects": objects, "dicts": dicts}

if __name__ == "__main__":
    loop = LOOPS[sys.argv[1]]
    loop()
    print("ready", flush=True)
    for line in sys.stdin:
        begun = time.process_time_ns()
        for _ in range(int(line)):
            loop()
        print(time.process_time_ns() - begun, flush=True)
