"""A store that writes to segments; a thread in the background makes one of them when there are six."""

import random
import threading
import time

from traffic.shape import arrivals, seed

FULL = 350
KEYS = 3200


class Store:
    """Segments, the newest last; a key's value is in the newest one that has it."""

    def __init__(self):
        self.segments, self.lock = [{}], threading.Lock()

    def put(self, key, value):
        with self.lock:
            if len(self.segments[-1]) >= FULL:
                self.segments.append({})
            self.segments[-1][key] = value

    def get(self, key):
        with self.lock:
            return next((segment[key] for segment in reversed(self.segments) if key in segment), None)

    def compact(self):
        """One segment of all that are full, with the newest value of each key."""
        with self.lock:
            old = self.segments[:-1]
        if len(old) < 6:
            return
        merged = {}
        for segment in old:
            merged.update(segment)
        with self.lock:
            self.segments = [merged, *self.segments[len(old) :]]


def background(store):
    while True:
        time.sleep(0.5)
        store.compact()


def main():
    draw = random.Random(seed())
    store, found = Store(), 0
    threading.Thread(target=background, args=(store,), daemon=True).start()
    for number in arrivals(170):
        key = f"device-{draw.randrange(KEYS)}"
        store.put(key, {"number": number, "state": [f"{key}:{number}:{step}" for step in range(36)]})
        found += store.get(f"device-{draw.randrange(KEYS)}") is not None


if __name__ == "__main__":
    main()
