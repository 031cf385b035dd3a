"""Three consumers drop events that came before; each knows those of this and the last three quarters of an hour."""

import os
import random
import time
from collections import Counter, deque

from traffic.shape import arrivals, seed

SPAN_SECONDS = 42.0
PRODUCERS = "shop app till partner".split()


class Known:
    """Two tables of what came: an older one, and one that takes its place when its time is over."""

    def __init__(self):
        self.older, self.newer = {}, {}
        self.ends = time.monotonic() + SPAN_SECONDS

    def first(self, event):
        """The event that came before under this name, or None."""
        if time.monotonic() > self.ends:
            self.older, self.newer = self.newer, {}
            self.ends += SPAN_SECONDS
        found = self.newer.get(event["id"]) or self.older.get(event["id"])
        if found is None:
            self.newer[event["id"]] = event["producer"], event["offset"], event["headers"]
        return found


def poll(draw, offset, sent):
    """What comes next from the partition; producers send again when they heard nothing."""
    if sent and draw.random() < 0.08:
        return {**draw.choice(sent), "offset": offset}
    bits = f"{draw.getrandbits(128):032x}"
    name = "-".join((bits[:8], bits[8:12], bits[12:16], bits[16:20], bits[20:]))
    headers = {
        "trace": bits[::-1],
        "schema": f"order/{draw.randrange(9)}",
        "host": f"node-{draw.randrange(40):03d}",
    }
    event = {"id": name, "producer": draw.choice(PRODUCERS), "offset": offset, "headers": headers}
    sent.append(event)
    return event


def consume(partition):
    draw = random.Random(seed() * 7 + partition)
    known, sent, twice, booked = Known(), deque(maxlen=400), Counter(), 0
    for offset in arrivals(185, salt=partition):
        event = poll(draw, offset, sent)
        before = known.first(event)
        if before is None:
            booked += 1
        else:
            twice[before[0], event["producer"]] += 1


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
