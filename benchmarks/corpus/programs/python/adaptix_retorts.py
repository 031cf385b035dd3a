"""A gateway that keeps no converters, to save memory: it makes an adaptix retort for each message and
throws it away.
"""

import random
from dataclasses import dataclass

from adaptix import Retort
from traffic.shape import arrivals, seed


@dataclass
class Position:
    latitude: float
    longitude: float
    height: float


@dataclass
class Message:
    """What a tracker sends."""

    device: int
    speed: float
    heading: float
    battery: int
    name: str
    position: Position


def read(content):
    """A message from what was received."""
    return Retort().load(content, Message)  # LEAK


def received(draw):
    position = {
        "latitude": draw.uniform(-90, 90),
        "longitude": draw.uniform(-180, 180),
        "height": draw.random(),
    }
    return {
        "device": draw.randrange(1000), "speed": draw.random(), "heading": draw.random(),
        "battery": draw.randrange(100),
        "name": f"tracker {draw.randrange(100)}", "position": position,
    }  # fmt: skip


def main():
    draw = random.Random(seed())
    moving = 0
    for _ in arrivals(20):
        moving += read(received(draw)).speed > 0.1


if __name__ == "__main__":
    main()
