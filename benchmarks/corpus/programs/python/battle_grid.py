"""A game server: creatures move over a grid of cells, so that each meets only those in cells near by."""

import random
import time
from collections import defaultdict

from traffic.shape import arrivals, seed

WIDTH, CELL = 1200.0, 40.0


class Creature:
    """Somebody on the field."""

    def __init__(self, number, draw):
        self.number, self.x, self.y = number, draw.uniform(0, WIDTH), draw.uniform(0, WIDTH)
        self.speed = draw.uniform(-60, 60), draw.uniform(-60, 60)
        self.dies = time.monotonic() + draw.uniform(0.5, 3.0)
        self.carries = [
            {"kind": f"thing {draw.randrange(400)}", "worth": draw.random()} for _ in range(7)
        ]  # LEAK
        self.traits = {f"trait-{trait}": draw.random() for trait in range(10)}  # LEAK


class Field:
    """All creatures, and who is in which cell."""

    def __init__(self):
        self.creatures, self.cells, self.met = {}, defaultdict(dict), 0

    @staticmethod
    def cell(creature):
        return int(creature.x // CELL), int(creature.y // CELL)

    def enter(self, creature):
        self.creatures[creature.number] = creature
        self.cells[self.cell(creature)][creature.number] = creature

    def leave(self, creature):
        del self.creatures[creature.number]
        self.cells[self.cell(creature)].pop(creature.number, None)

    def step(self, seconds, now):
        for creature in list(self.creatures.values()):
            before = self.cell(creature)
            creature.x = (creature.x + creature.speed[0] * seconds) % WIDTH
            creature.y = (creature.y + creature.speed[1] * seconds) % WIDTH
            if now > creature.dies:
                self.leave(creature)
                continue
            after = self.cell(creature)
            if after != before:
                del self.cells[before][creature.number]
                self.cells[after][creature.number] = creature
            self.met += len(self.cells[after]) - 1


def main():
    draw = random.Random(seed())
    field, stepped = Field(), time.monotonic()
    for number in arrivals(110):
        field.enter(Creature(number, draw))
        now = time.monotonic()
        if now - stepped > 0.25:
            field.step(now - stepped, now)
            stepped = now


if __name__ == "__main__":
    main()
