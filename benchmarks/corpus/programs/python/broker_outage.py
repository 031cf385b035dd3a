"""Publishes events to a broker; when that is away, they wait in memory, four thousand at most, the oldest go first."""

import random
import threading
import time
from collections import deque

from traffic.shape import arrivals, seed

STARTED = time.monotonic()
AWAY_FROM, AWAY_UNTIL = 20.0, 34.0
WAITING = 4000


class Broker:
    """The other side; it is updated some day, and away meanwhile."""

    def __init__(self):
        self.published = 0

    def publish(self, event):
        if AWAY_FROM < time.monotonic() - STARTED < AWAY_UNTIL:
            raise ConnectionError("the broker is away")
        self.published += len(event["changes"])


def drain(waiting, broker):
    """Publish what waits, at some hundred a second."""
    while True:
        try:
            event = waiting.popleft()
        except IndexError:
            time.sleep(0.02)
            continue
        try:
            broker.publish(event)
        except ConnectionError:
            waiting.appendleft(event)
            time.sleep(0.5)
        time.sleep(0.001)


def event(number, draw):
    """What changed in the warehouse."""
    return {
        "number": number,
        "changes": [
            {
                "shelf": draw.randrange(900),
                "before": draw.random(),
                "after": draw.random(),
                "who": f"user {number % 40}",
            }
            for _ in range(draw.randint(6, 18))
        ],
    }


def main():
    draw = random.Random(seed())
    waiting = deque(maxlen=WAITING)
    threading.Thread(target=drain, args=(waiting, Broker()), daemon=True).start()
    for number in arrivals(110):
        waiting.append(event(number, draw))


if __name__ == "__main__":
    main()
