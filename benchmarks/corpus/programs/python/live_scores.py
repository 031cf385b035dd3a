"""Live scores: watchers come, are told every change of their matches, and go again after some seconds."""

import random
import time
from collections import defaultdict, deque

from traffic.shape import arrivals, seed

MATCHES = 400


class Watcher:
    """Somebody who looks at thirty matches."""

    def __init__(self, number, draw):
        self.leaves = time.monotonic() + draw.uniform(1.0, 3.0)
        self.says_goodbye = draw.random() < 0.6
        chosen = draw.sample(range(MATCHES), 30)
        self.board = {
            match: {"score": [0, 0], "text": f"match {match} for {number}"} for match in chosen
        }  # LEAK

    def tell(self, match, side):
        self.board[match]["score"][side] += 1


class Hub:
    """Who is told about which match."""

    def __init__(self):
        self.watchers = defaultdict(list)

    def enter(self, watcher):
        for match in watcher.board:
            self.watchers[match].append(watcher)

    def goodbye(self, watcher):
        for match in watcher.board:
            self.watchers[match].remove(watcher)

    def goal(self, match, side):
        for watcher in self.watchers[match]:
            watcher.tell(match, side)


def main():
    draw = random.Random(seed())
    hub, present = Hub(), deque()
    for number in arrivals(45):
        watcher = Watcher(number, draw)
        hub.enter(watcher)
        present.append(watcher)
        hub.goal(draw.randrange(MATCHES), draw.randrange(2))
        while present and present[0].leaves < time.monotonic():
            gone = present.popleft()
            if gone.says_goodbye:
                hub.goodbye(gone)


if __name__ == "__main__":
    main()
