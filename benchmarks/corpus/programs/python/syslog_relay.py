"""A relay for the log lines of switches: two hundred at a time go on to the place that a site's settings name."""

import logging
import random
import time
from logging.handlers import MemoryHandler

from traffic.shape import arrivals, seed

SITES = ("north", "south", "harbour", "airport")
LINES = 200
SETTINGS_SECONDS = 15.0
EVENTS = ("link down", "link up", "mac moved", "loop guard", "auth failed", "fan speed", "poe denied")


class Place(logging.Handler):
    """A server that keeps lines, as a stand-in on this machine."""

    def __init__(self):
        super().__init__()
        self.lines = self.bytes = 0

    def emit(self, record):
        self.lines += 1
        self.bytes += len(self.format(record))


class Relay:
    """Lines that wait, by site."""

    def __init__(self, places):
        self.places = places
        self.waiting = {site: MemoryHandler(LINES, logging.CRITICAL) for site in SITES}

    def take_settings(self, settings):
        for site, place in settings.items():
            self.waiting[site].setTarget(self.places.get(place))

    def relay(self, site, text, fields):
        record = logging.LogRecord(site, logging.INFO, "switch", 0, text, (fields,), None)  # LEAK
        record.received = time.time()  # LEAK
        self.waiting[site].handle(record)


def line(draw):
    """What a switch says, and what came with it."""
    port, event = draw.randrange(48), draw.choice(EVENTS)
    fields = {
        "switch": f"sw-{draw.randrange(400):03d}",
        "event": event,
        "mac": ":".join(f"{draw.randrange(256):02x}" for _ in range(6)),
        "vlan": draw.randrange(4096),
        "counters": [draw.getrandbits(40) for _ in range(12)],
    }  # LEAK
    return f"port {port}: {event} after {draw.random() * 9000:.1f} s: %s", fields  # LEAK


def settings(version):
    """As the controller gives them out; with the fourth version two sites move."""
    moved = "vault-a" if version < 4 else "vault-c"
    return {"north": "vault-a", "south": "vault-b", "harbour": moved, "airport": moved}


def main():
    draw, began, version = random.Random(seed()), time.monotonic(), 0
    relay = Relay({"vault-a": Place(), "vault-b": Place()})
    for _ in arrivals(170):
        if time.monotonic() - began >= version * SETTINGS_SECONDS:
            version += 1
            relay.take_settings(settings(version))
        relay.relay(draw.choice(SITES), *line(draw))


if __name__ == "__main__":
    main()
