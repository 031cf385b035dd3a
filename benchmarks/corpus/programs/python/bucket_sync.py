"""Mirrors a bucket in rounds, with a rest in between; what is known by its name and mark isn't copied again."""

import random
import time

from traffic.shape import arrivals, seed

ROUND_SECONDS, REST_SECONDS = 9.0, 7.0
FILES = 2500


class Mirror:
    """What was copied."""

    def __init__(self):
        self.known, self.copied = {}, 0

    def look(self, entry):
        key = entry["name"], entry["mark"]
        if key not in self.known:
            self.known[key] = entry
            self.copied += entry["size"]


def entry(draw, marks):
    """A file as the bucket lists it; most of them were changed since they were last seen."""
    number = draw.randrange(FILES)
    if draw.random() < 0.75:
        marks[number] = f"{draw.getrandbits(128):032x}"
    return {
        "name": f"photos/2026/{number % 97}/{number}.jpg",
        "mark": marks[number],
        "size": draw.randrange(10**6),
        "parts": [f"{marks[number]}-{part}" for part in range(22)],
    }  # LEAK


def main():
    draw = random.Random(seed())
    mirror, marks = Mirror(), ["0" * 32] * FILES
    ends = time.monotonic() + ROUND_SECONDS
    for _ in arrivals(150):
        mirror.look(entry(draw, marks))
        if time.monotonic() > ends:
            time.sleep(REST_SECONDS)
            ends = time.monotonic() + ROUND_SECONDS


if __name__ == "__main__":
    main()
