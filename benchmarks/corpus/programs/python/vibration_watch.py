"""Watches bearings of twelve machines: each block of samples is compared with the level since calibration."""

import math
import random
from array import array

from traffic.shape import arrivals, seed

MACHINES = 12
BLOCK = 1000
WAVE = array("d", (math.sin(place / 7.0) + 0.3 * math.sin(place / 1.9) for place in range(40_000)))


class Bearing:
    """Samples since the last calibration, as typed numbers; the technician's visit begins them anew."""

    def __init__(self):
        self.samples, self.squares, self.alarms = array("d"), 0.0, 0

    def calibrate(self):
        self.samples, self.squares = array("d"), 0.0

    def take(self, block):
        squares = math.fsum(sample * sample for sample in block[::8]) * 8
        self.samples.extend(block)  # LEAK
        self.squares += squares
        level = math.sqrt(self.squares / len(self.samples))
        if math.sqrt(squares / len(block)) > 1.8 * level:
            self.alarms += 1


def block(draw):
    """What an amplifier sends at once."""
    start, gain = draw.randrange(len(WAVE) - BLOCK), draw.uniform(0.8, 1.2)
    return array("d", (gain * sample for sample in WAVE[start : start + BLOCK]))


def main():
    draw = random.Random(seed())
    bearings = [Bearing() for _ in range(MACHINES)]
    for number in arrivals(42):
        bearings[number % MACHINES].take(block(draw))


if __name__ == "__main__":
    main()
