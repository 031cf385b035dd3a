"""Charging points send their state as protobuf messages; one message object is used again for each that comes."""

import random
from collections import Counter

from google.protobuf.struct_pb2 import Struct
from traffic.shape import arrivals, seed

POINTS = 800


def sent(point, draw):
    """A frame as a charging point sends it."""
    state = Struct()
    state["point"] = float(point)
    state["firmware"] = f"4.{point % 7}.1"
    for phase in range(draw.randint(20, 45)):
        state[f"reading {phase}"] = draw.gauss(230, 5)
    return state.SerializeToString()


class Board:
    """Which points are charging."""

    def __init__(self):
        self.message, self.charging, self.volts = Struct(), Counter(), 0.0

    def receive(self, frame):
        self.message.Clear()
        self.message.ParseFromString(frame)
        self.volts = self.message["reading 0"]
        self.charging[int(self.message["point"])] += self.volts > 230


def main():
    draw = random.Random(seed())
    board = Board()
    for _ in arrivals(28):
        board.receive(sent(draw.randrange(POINTS), draw))


if __name__ == "__main__":
    main()
