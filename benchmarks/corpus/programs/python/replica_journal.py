"""A store with two followers: what was written is kept in a journal until both of them have it."""

import random
import time
from collections import deque

from traffic.shape import arrivals, seed

STARTED = time.monotonic()


class Follower:
    """Says now and then how far it is."""

    def __init__(self, name, lives):
        self.name, self.lives, self.has = name, lives, 0

    def pull(self, newest):
        if time.monotonic() - STARTED < self.lives:
            self.has = newest


class Primary:
    """Tables and the journal."""

    def __init__(self, followers):
        self.rows, self.journal, self.followers, self.newest = {}, deque(), followers, 0

    def write(self, draw):
        self.newest += 1
        key = draw.randrange(800)
        change = [draw.random() for _ in range(110)]  # LEAK
        self.rows[key] = len(change)
        self.journal.append((self.newest, key, change))

    def trim(self):
        """Forget what everybody has."""
        everywhere = min(follower.has for follower in self.followers)
        while self.journal and self.journal[0][0] <= everywhere:
            self.journal.popleft()


def main():
    draw = random.Random(seed())
    primary = Primary([Follower("east", 1e9), Follower("west", 25.0)])
    for number in arrivals(130):
        primary.write(draw)
        if number % 200 == 0:
            for follower in primary.followers:
                follower.pull(primary.newest)
            primary.trim()


if __name__ == "__main__":
    main()
