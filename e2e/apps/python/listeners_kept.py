"""Leaks: each request registers a callback whose closure holds the request's body; none is ever removed."""

import time


class Bus:
    """A registry of listeners, as event-driven programs have them."""

    def __init__(self):
        self.listeners = []

    def subscribe(self, listener):
        self.listeners.append(listener)


def handle(bus, number):
    """Answer one request."""
    body = [f"{number}:{line}" for line in range(250)]

    def on_shutdown():
        return len(body)

    bus.subscribe(on_shutdown)
    return len(body)


def main():
    bus = Bus()
    number = 0
    while True:
        for _ in range(3):
            number += 1
            handle(bus, number)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
