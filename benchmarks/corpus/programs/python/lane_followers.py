"""A simulation of eight lanes: each car keeps its distance to the one ahead, and leaves where the lane ends."""

import random
from collections import deque

from traffic.shape import arrivals, seed

LANES = 8
LENGTH = 600.0
STEP_SECONDS = 0.9
STEPS = 3


class Car:
    """One car; what it did is kept for the statistics that are made when it leaves."""

    __slots__ = ("ahead", "number", "place", "route", "speed", "track", "wish")

    def __init__(self, number, ahead, draw):
        self.number, self.ahead = number, ahead
        self.place, self.speed, self.wish = 0.0, 12.0, draw.gauss(25.0, 4.0)
        self.route = [f"{number}: exit {draw.randrange(40)}, ramp {ramp}" for ramp in range(26)]  # LEAK
        self.track = []

    def move(self):
        """One step, in which it doesn't come nearer than two seconds to the car ahead, if that is still there."""
        in_front = self.ahead is not None and self.ahead.place <= LENGTH
        room = self.ahead.place - self.place if in_front else 1e9
        self.speed = max(2.0, min(self.wish, self.speed + 1.5, room / 2.0))  # LEAK
        self.place += self.speed * STEP_SECONDS  # LEAK
        self.track.append((self.place, self.speed))  # LEAK

    def mean_speed(self):
        return sum(speed for _, speed in self.track) / len(self.track)


class Lane:
    """Cars in their order, the first one in front."""

    def __init__(self):
        self.cars = deque()
        self.left, self.speeds = 0, 0.0

    def enter(self, number, draw):
        self.cars.append(Car(number, self.cars[-1] if self.cars else None, draw))  # LEAK

    def step(self):
        for car in self.cars:
            car.move()
        while self.cars and self.cars[0].place > LENGTH:
            self.speeds += self.cars.popleft().mean_speed()
            self.left += 1


def main():
    draw = random.Random(seed())
    lanes = [Lane() for _ in range(LANES)]
    for number in arrivals(56):
        lane = lanes[number % LANES]
        lane.enter(number, draw)
        for _ in range(STEPS):
            lane.step()


if __name__ == "__main__":
    main()
