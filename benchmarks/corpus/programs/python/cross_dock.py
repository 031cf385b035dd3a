"""A model of a hub for pallets with simpy, fed by its scanners: what it holds now, and what leaves with which truck."""

import random
import time

import simpy
from traffic.shape import arrivals, seed

GATES = 40
LEAST, MOST = 15.0, 70.0


class Hub:
    """Pallets in the hall, by gate."""

    def __init__(self, env):
        self.env, self.hall, self.left, self.minutes = env, [{} for _ in range(GATES)], 0, 0.0
        self.lifts = simpy.Resource(env, capacity=60)
        for gate in range(GATES):
            env.process(self.trucks(gate))

    def pallet(self, number, scanned):
        """A pallet's way from one truck to the next."""
        came, gate = self.env.now, scanned["gate"]
        with self.lifts.request() as lift:
            yield lift
            yield self.env.timeout(0.1)
        self.hall[gate][number] = scanned
        yield self.env.timeout(scanned["until"] - (self.env.now - came))
        scanned["ready"] = True

    def trucks(self, gate):
        """Each five seconds a truck takes what is ready."""
        yield self.env.timeout(gate / GATES * 5)
        while True:
            yield self.env.timeout(5)
            for number, scanned in list(self.hall[gate].items()):
                if scanned["ready"]:
                    del self.hall[gate][number]
                    self.left += 1
                    self.minutes += scanned["until"]


def scan(number, draw):
    """What the scanner at the ramp reads off a pallet."""
    return {
        "gate": draw.randrange(GATES),
        "until": draw.uniform(LEAST, MOST),
        "ready": False,
        "code": f"00{draw.getrandbits(56):018d}",
        "parcels": [
            {"code": f"JJD{draw.getrandbits(60):018d}", "grams": draw.randint(80, 9000)}
            for _ in range(draw.randint(6, 20))
        ],
        "photo": f"s3://scans/{number:09d}.jpg",
    }


def main():
    draw, env, began = random.Random(seed()), simpy.Environment(), time.monotonic()
    hub = Hub(env)
    for number in arrivals(62):
        env.run(until=max(time.monotonic() - began, env.now + 1e-6))
        env.process(hub.pallet(number, scan(number, draw)))


if __name__ == "__main__":
    main()
