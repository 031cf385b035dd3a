"""Telemetry over datagrams: messages come in four parts, in any order, and are put together again."""

import random

from traffic.shape import arrivals, seed

PENDING = {}
TOTALS = [0] * 24
DRAW = random.Random(seed())


def receive(number):
    """The parts of a message that made it through the network."""
    parts = [(place, f"{number:08d}:{place}:".encode() * 180) for place in range(4)]  # LEAK
    DRAW.shuffle(parts)
    return [part for part in parts if DRAW.random() > 0.07]


def put_together(parts):
    return b"".join(part for _, part in sorted(parts.items()))


def accept(sensor, number, place, part):
    """Count a message when it is complete."""
    parts = PENDING.setdefault((sensor, number), {})
    parts[place] = part
    if len(parts) == 4:
        TOTALS[sensor] += len(put_together(PENDING.pop((sensor, number))))


if __name__ == "__main__":
    for number in arrivals(160):
        for place, part in receive(number):
            accept(number % 24, number, place, part)
