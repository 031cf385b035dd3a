"""Readings of weather stations in three resolutions: as they came, means of minutes, means of an hour."""

import random
from collections import deque

from traffic.shape import arrivals, seed

STATIONS = 120
CHANNELS = ("air", "ground", "wind", "gust", "rain", "light", "press", "humid")
RAW, FINE, COARSE = 30, 16, 48
RAW_A_FINE, FINE_A_COARSE = 5, 12


def summed(parts):
    """Mean and extremes of each channel, and how often it was in which tenth."""
    found = {}
    for channel in CHANNELS:
        values = [
            part[channel] if isinstance(part[channel], float) else part[channel]["mean"] for part in parts
        ]
        low, high = min(values), max(values)
        tenths = [0.0] * 10
        for value in values:
            tenths[int((value - low) / (high - low + 1e-9) * 10)] += 1.0 / len(values)
        found[channel] = {"mean": sum(values) / len(values), "low": low, "high": high, "tenths": tenths}
    return found


class Station:
    """One station's rings."""

    def __init__(self):
        self.raw, self.fine, self.coarse = deque(maxlen=RAW), deque(maxlen=FINE), deque(maxlen=COARSE)
        self.taken = 0

    def take(self, reading):
        self.raw.append(reading)
        self.taken += 1
        if self.taken % RAW_A_FINE == 0:
            self.fine.append(summed(list(self.raw)[-RAW_A_FINE:]))
        if self.taken % (RAW_A_FINE * FINE_A_COARSE) == 0:
            means = summed(list(self.fine)[-FINE_A_COARSE:])
            self.coarse.append(tuple(means[channel]["mean"] for channel in CHANNELS))


def main():
    draw = random.Random(seed())
    stations = [Station() for _ in range(STATIONS)]
    for number in arrivals(120):
        reading = {channel: draw.gauss(10.0, 3.0) for channel in CHANNELS}
        reading["text"] = f"station {number % STATIONS}, reading {number}, battery {draw.random():.3f}"
        stations[number % STATIONS].take(reading)


if __name__ == "__main__":
    main()
