"""A game server for an island: parts of the map are made when a player comes near, and put away when none is."""

import random
import time
import zlib

from traffic.shape import arrivals, seed

ACROSS = 64
NEAR = 2
ALONE_SECONDS = 20.0
MOST = 1500
PLAYERS = 30
BLOCKS = 16_384


class Part:
    """Blocks and creatures of a part of the map, and when a player was last near."""

    def __init__(self, place, saved):
        draw = random.Random(place[0] * ACROSS + place[1])
        self.blocks = bytearray(zlib.decompress(saved) if saved else draw.randbytes(BLOCKS // 64) * 64)
        self.creatures = [
            {"kind": draw.choice(["crab", "goat", "gull"]), "at": [draw.random() * 16, draw.random() * 16]}
            for _ in range(draw.randint(0, 12))
        ]
        self.seen = time.monotonic()


class World:
    """Parts that are in use; the others are on disk, as few bytes."""

    def __init__(self):
        self.parts, self.saved, self.swept = {}, {}, time.monotonic()

    def near(self, x, y, draw):
        now = time.monotonic()
        for place in [(x + dx, y + dy) for dx in range(-NEAR, NEAR + 1) for dy in range(-NEAR, NEAR + 1)]:
            part = self.parts.get(place)
            if part is None:
                part = self.parts[place] = Part(place, self.saved.pop(place, None))
            part.seen = now
            for creature in part.creatures:
                creature["at"][0] = (creature["at"][0] + draw.gauss(0, 0.2)) % 16
        self.parts[x, y].blocks[draw.randrange(BLOCKS)] = draw.randrange(256)
        if now - self.swept > 1.0:
            self.sweep(now)

    def sweep(self, now):
        self.swept = now
        for place, part in sorted(self.parts.items(), key=lambda item: item[1].seen):
            if now - part.seen > ALONE_SECONDS or len(self.parts) > MOST:
                self.saved[place] = zlib.compress(bytes(part.blocks), 1)
                del self.parts[place]


def main():
    draw, world = random.Random(seed()), World()
    players = [[ACROSS // 2, ACROSS // 2, draw.random(), draw.random()] for _ in range(PLAYERS)]
    for _ in arrivals(24):
        player = draw.choice(players)
        for axis in (0, 1):
            goal = int(player[2 + axis] * (ACROSS - 5)) + 2
            player[axis] += (goal > player[axis]) - (goal < player[axis])
        if draw.random() < 0.04:
            player[2:] = draw.random(), draw.random()
        world.near(player[0], player[1], draw)


if __name__ == "__main__":
    main()
