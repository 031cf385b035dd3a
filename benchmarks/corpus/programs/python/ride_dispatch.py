"""Dispatches rides: one that was asked for gets the nearest car, is followed while it lasts, and paid at its end."""

import heapq
import random
import time

from traffic.shape import arrivals, seed

CARS = 600


class Ride:
    """Somebody on the way."""

    def __init__(self, number, draw):
        self.number, self.ends = number, time.monotonic() + draw.uniform(3.0, 7.0)
        self.track = [(draw.random(), draw.random(), f"street {draw.randrange(4000)}") for _ in range(90)]
        self.fare = {f"zone {zone}": draw.randrange(500) for zone in range(12)}


class Dispatch:
    """Cars, and rides by the time of their end."""

    def __init__(self, draw):
        self.cars = {car: (draw.random(), draw.random()) for car in range(CARS)}
        self.rides, self.paid = [], 0

    def ask(self, ride):
        x, y, _ = ride.track[0]
        near = heapq.nsmallest(
            3, self.cars, key=lambda car: abs(self.cars[car][0] - x) + abs(self.cars[car][1] - y)
        )
        self.cars[near[0]] = ride.track[-1][:2]
        heapq.heappush(self.rides, (ride.ends, ride.number, ride))

    def end(self, now):
        while self.rides and self.rides[0][0] < now:
            _, _, ride = heapq.heappop(self.rides)
            self.paid += sum(ride.fare.values())


def main():
    draw = random.Random(seed())
    dispatch = Dispatch(draw)
    for number in arrivals(80):
        dispatch.ask(Ride(number, draw))
        dispatch.end(time.monotonic())


if __name__ == "__main__":
    main()
