"""Joins orders with their payments: either may come first; ten seconds after an order the pair is given up."""

import heapq
import random
import time

from traffic.shape import arrivals, seed

WINDOW_SECONDS = 10.0


class Join:
    """Halves that wait for their other half, in the order of their time."""

    def __init__(self):
        self.halves, self.times, self.joined, self.alone = {}, [], 0, 0

    def take(self, key, side, record, at):
        waiting = self.halves.get(key)
        if waiting is None:
            self.halves[key] = {side: record}
            heapq.heappush(self.times, (at, key))
        elif side not in waiting:
            self.joined += 1
            waiting[side] = record
        self.forget(at - WINDOW_SECONDS)

    def forget(self, before):
        while self.times and self.times[0][0] < before:
            _, key = heapq.heappop(self.times)
            self.alone += len(self.halves.pop(key)) == 1


def record(number, draw):
    """An order or a payment."""
    return {
        "number": number,
        "cents": draw.randrange(10**6),
        "account": f"{draw.getrandbits(80):020x}",
        "lines": [
            f"line {line} of {number}: {draw.randrange(90)} pieces" for line in range(draw.randint(4, 22))
        ],
    }


def main():
    draw = random.Random(seed())
    join, delayed = Join(), []
    for number in arrivals(220):
        now = time.monotonic()
        join.take(number, "order", record(number, draw), now)
        if draw.random() < 0.9:
            heapq.heappush(delayed, (now + draw.expovariate(1 / 2.5), number))
        while delayed and delayed[0][0] < now:
            _, paid = heapq.heappop(delayed)
            join.take(paid, "payment", record(paid, draw), now)


if __name__ == "__main__":
    main()
