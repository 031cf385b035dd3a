"""A poller of feeds: when one can't be read, the failure says since when that is so, and what came before it."""

import json
import random

from traffic.shape import arrivals, seed

FEEDS = 48


class Failed(Exception):
    """A feed that can't be read."""

    def __init__(self, feed, since):
        super().__init__(f"feed {feed} can't be read since round {since}")
        self.since = since


def fetch(feed, draw):
    """What the feed's server says; one in four never says the end of it."""
    entries = [{"title": f"entry {number} of feed {feed}", "words": "x" * 90} for number in range(110)]
    text = json.dumps({"feed": feed, "entries": entries, "mark": draw.getrandbits(60)})
    return text if feed % 4 else text[:-9]  # LEAK


class Poller:
    """How each feed went last time."""

    def __init__(self):
        self.failures, self.entries = {}, 0

    def read(self, feed, text, number):
        try:
            return json.loads(text)["entries"]  # LEAK
        except ValueError:
            before = self.failures.get(feed)
            raise Failed(feed, before.since if before else number) from before  # LEAK

    def poll(self, feed, number, draw):
        text = fetch(feed, draw)
        try:
            self.entries += len(self.read(feed, text, number))
            self.failures.pop(feed, None)
        except Failed as failed:
            self.failures[feed] = failed


def main():
    draw = random.Random(seed())
    poller = Poller()
    for number in arrivals(40):
        poller.poll(draw.randrange(FEEDS), number, draw)


if __name__ == "__main__":
    main()
