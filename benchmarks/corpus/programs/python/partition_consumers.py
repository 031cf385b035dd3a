"""Three consumers, each with a partition of a topic; an offset is committed when all before it are done."""

import hashlib
import os
import random
import time

from traffic.shape import arrivals, seed

STARTED = time.monotonic()
NEW_PRODUCER = 12.0


class Offsets:
    """What is done, and how far without a gap."""

    def __init__(self):
        self.committed, self.done = -1, {}

    def finished(self, offset, receipt):
        self.done[offset] = receipt
        while self.committed + 1 in self.done:
            self.committed += 1
            del self.done[self.committed]


class Topic:
    """The messages of one partition; the new producer's first one is of a kind that nobody knows."""

    def __init__(self, partition):
        self.partition, self.renewed = partition, False

    def message(self, offset, draw):
        kind = draw.choice(["order", "payment", "return"])
        if self.partition == 1 and not self.renewed and time.monotonic() - STARTED > NEW_PRODUCER:
            self.renewed, kind = True, "refund"
        return {"kind": kind, "offset": offset, "cents": draw.randrange(10**6)}


def process(message):
    """Book it; returns the receipt."""
    if message["kind"] not in ("order", "payment", "return"):
        raise ValueError(message["kind"])
    steps = [f"{message['kind']} {message['offset']} step {step}" for step in range(40)]  # LEAK
    return hashlib.sha256(steps[-1].encode()).hexdigest(), steps


def consume(partition):
    draw = random.Random(seed() + partition)
    topic, offsets, failed = Topic(partition), Offsets(), 0
    for offset in arrivals(65, salt=partition):
        try:
            offsets.finished(offset, process(topic.message(offset, draw)))
        except ValueError:
            failed += 1


def main():
    children = []
    for partition in range(3):
        child = os.fork()
        if child == 0:
            consume(partition)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
