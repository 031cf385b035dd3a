"""The last state of five hundred devices, as protobuf messages; one that comes takes the place of the one before."""

import random

from google.protobuf.struct_pb2 import Struct
from traffic.shape import arrivals, seed

DEVICES = 500


def frames(draw):
    """States as devices send them, some of each length."""
    made = []
    for length in range(40):
        state = Struct()
        state["firmware"] = f"2.{length}.0"
        for reading in range(90 + 2 * length):
            state[f"reading {reading}"] = draw.gauss(20, 3)
        made.append(state.SerializeToString())
    return made


class Shadows:
    """What each device said last."""

    def __init__(self):
        self.states, self.warm = {}, 0

    def receive(self, device, frame):
        state = Struct()
        state.ParseFromString(frame)
        self.states[device] = state
        self.warm += state["reading 0"] > 22


def main():
    draw = random.Random(seed())
    shadows, sent = Shadows(), frames(draw)
    for _ in arrivals(60):
        shadows.receive(draw.randrange(DEVICES), draw.choice(sent))


if __name__ == "__main__":
    main()
