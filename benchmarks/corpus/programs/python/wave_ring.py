"""A recorder of sensors with room for five thousand readings; the oldest are written over."""

import random
import time

from traffic.shape import arrivals, seed


class Ring:
    """A list of fixed length, and where the next reading goes."""

    def __init__(self, room):
        self.places = [None] * room
        self.next = 0

    def put(self, reading):
        self.places[self.next] = reading
        self.next = (self.next + 1) % len(self.places)

    def last(self, count):
        return [self.places[(self.next - back) % len(self.places)] for back in range(1, count + 1)]


def reading(draw, sensor):
    return {
        "sensor": sensor,
        "when": time.time(),
        "wave": [draw.gauss(0, 1) for _ in range(70)],
        "state": f"sensor {sensor} at {draw.getrandbits(32):08x}",
    }


def main():
    draw = random.Random(seed())
    ring, alarms = Ring(5000), 0
    for number in arrivals(125):
        ring.put(reading(draw, number % 40))
        latest = [each for each in ring.last(10) if each]
        alarms += max(each["wave"][0] for each in latest) > 3


if __name__ == "__main__":
    main()
