"""Counts clicks of the last twelve seconds by page; each click is held until it leaves the window."""

import random
import time
from collections import Counter, deque

from traffic.shape import arrivals, seed

WINDOW_SECONDS = 12.0


class Window:
    """Clicks in the order of their time, and their sums."""

    def __init__(self):
        self.clicks = deque()
        self.pages = Counter()

    def add(self, click):
        self.clicks.append(click)
        self.pages[click["page"]] += 1
        while self.clicks[0]["when"] < click["when"] - WINDOW_SECONDS:
            old = self.clicks.popleft()
            self.pages[old["page"]] -= 1
            if not self.pages[old["page"]]:
                del self.pages[old["page"]]

    def top(self):
        return self.pages.most_common(5)


def click(draw):
    return {
        "when": time.monotonic(),
        "page": f"/items/{int(draw.paretovariate(0.8)) % 3000}",
        "path": [f"{draw.getrandbits(20):05x}/{step}" for step in range(55)],
    }


def main():
    draw = random.Random(seed())
    window, shown = Window(), 0
    for number in arrivals(190):
        window.add(click(draw))
        if number % 100 == 0:
            shown += len(window.top())


if __name__ == "__main__":
    main()
