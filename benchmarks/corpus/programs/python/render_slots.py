"""A farm of render slots: a job takes a free slot or opens one; slots that were idle for four seconds are closed."""

import random
import time

from traffic.shape import arrivals, seed

IDLE_SECONDS = 4.0


class Slot:
    """Where one picture is rendered."""

    def __init__(self):
        self.canvas = bytearray(420_000)
        self.free_at = 0.0

    def render(self, draw, now):
        for place in range(0, len(self.canvas), 1000):
            self.canvas[place] = draw.randrange(256)
        self.free_at = now + draw.uniform(0.4, 1.2)


class Farm:
    """Slots, the ones that were used last at the end."""

    def __init__(self):
        self.slots = []

    def run(self, draw):
        now = time.monotonic()
        self.slots = [slot for slot in self.slots if now - slot.free_at < IDLE_SECONDS]
        free = [slot for slot in self.slots if slot.free_at <= now]
        if free:
            slot = max(free, key=lambda each: each.free_at)
        else:
            slot = Slot()
            self.slots.append(slot)
        slot.render(draw, now)


def main():
    draw = random.Random(seed())
    farm = Farm()
    for _ in arrivals(45):
        farm.run(draw)


if __name__ == "__main__":
    main()
