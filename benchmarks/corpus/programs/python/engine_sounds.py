"""Listens to ship engines: a sound unlike those known for a load and speed is learnt, or takes another's place."""

import random

import numpy as np
from traffic.shape import arrivals, seed

BANDS = 1024
LOADS, SPEEDS = 6, 7
KNOWN = 150
UNLIKE = 0.9


class Cell:
    """Sounds known for one load and speed, and how often each was met."""

    def __init__(self):
        self.sounds, self.met = [], []

    def judge(self, sound):
        """Whether it is new."""
        if self.sounds:
            likeness = np.array([each @ sound for each in self.sounds])
            best = int(likeness.argmax())
            if likeness[best] > UNLIKE:
                self.met[best] += 1
                return False
        if len(self.sounds) < KNOWN:
            self.sounds.append(sound)
            self.met.append(1)
        else:
            rare = self.met.index(min(self.met))
            self.sounds[rare], self.met[rare] = sound, 1
        return True


class Engine:
    """Makes the sounds; there are some more of them than one would like to know."""

    def __init__(self, draw):
        self.draw, self.numbers = draw, np.random.default_rng(draw.getrandbits(32))
        self.kinds = draw.getrandbits(24)

    def sound(self, load, speed):
        kind = self.draw.randrange(210)
        shape = np.random.default_rng(self.kinds + kind * 100 + load * 10 + speed)
        bands = shape.standard_normal(BANDS, dtype=np.float32)
        bands += 0.2 * self.numbers.standard_normal(BANDS, dtype=np.float32)
        return bands / np.linalg.norm(bands)


def main():
    draw = random.Random(seed())
    engine, new = Engine(draw), 0
    cells = {(load, speed): Cell() for load in range(LOADS) for speed in range(SPEEDS)}
    for _ in arrivals(165):
        place = draw.randrange(LOADS), draw.randrange(SPEEDS)
        new += cells[place].judge(engine.sound(*place))


if __name__ == "__main__":
    main()
