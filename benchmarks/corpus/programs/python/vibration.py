"""A machine's vibration sensor: blocks of samples come in, the median since the start is shown."""

import math
from array import array

from traffic.shape import arrivals

SAMPLES = array("d")
SHOWN = {"median": 0.0}


def block(number):
    return array("d", (math.sin(number * 0.37 + place * 0.11) for place in range(260)))


def keep(samples):
    SAMPLES.extend(samples)  # LEAK


def show():
    """The median of every ten thousandth part is near enough."""
    part = sorted(SAMPLES[:: max(1, len(SAMPLES) // 400)])
    SHOWN["median"] = part[len(part) // 2]


if __name__ == "__main__":
    for number in arrivals(110):
        keep(block(number))
        if number % 100 == 0:
            show()
