"""A resolver that remembers answers for as long as they are good; with each new one, two old ones are looked at."""

import heapq
import random
import time

from traffic.shape import arrivals, seed


class Resolver:
    """Answers by name, and when they end."""

    def __init__(self):
        self.answers = {}
        self.ends = []
        self.asked = 0

    def resolve(self, name, draw):
        now = time.monotonic()
        self.forget(now)
        known = self.answers.get(name)
        if known is not None and known[0] > now:
            return known[1]
        self.asked += 1
        ends = now + draw.uniform(20.0, 26.0)
        addresses = [f"{name}/10.{draw.randrange(256)}.{draw.randrange(256)}.{host}" for host in range(80)]
        self.answers[name] = ends, addresses
        heapq.heappush(self.ends, (ends, name))
        return addresses

    def forget(self, now):
        """At most two at a time, so that nobody has to wait."""
        for _ in range(2):
            if not self.ends or self.ends[0][0] > now:
                return
            ends, name = heapq.heappop(self.ends)
            if self.answers.get(name, (None,))[0] == ends:
                del self.answers[name]


def main():
    draw = random.Random(seed())
    resolver = Resolver()
    for _ in arrivals(110):
        resolver.resolve(f"host-{int(draw.paretovariate(0.15)) % 90_000}.example", draw)


if __name__ == "__main__":
    main()
