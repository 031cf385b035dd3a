"""A gate before an API: sixty calls per address in ten seconds; addresses that are quiet are swept away."""

import random
import threading
import time
from collections import deque

from traffic.shape import arrivals, seed

CALLS = 60
WINDOW_SECONDS = 10.0
SWEEP_SECONDS = 2.0
AGENTS = (
    "curl/8.5",
    "python-requests/2.32",
    "Mozilla/5.0 (X11; Linux x86_64)",
    "okhttp/4.12",
    "Go-http-client/2.0",
)


class Caller:
    """When an address called, and as whom."""

    def __init__(self, headers):
        self.calls, self.headers, self.refused = deque(), dict(headers), 0  # LEAK

    def allow(self, now):
        while self.calls and self.calls[0] < now - WINDOW_SECONDS:
            self.calls.popleft()
        if len(self.calls) >= CALLS:
            self.refused += 1
            return False
        self.calls.append(now)
        return True


class Gate:
    """Callers by address."""

    def __init__(self):
        self.callers, self.lock, self.by_network = {}, threading.Lock(), {}

    def allow(self, address, headers):
        now = time.monotonic()
        with self.lock:
            caller = self.callers.get(address)
            if caller is None:
                caller = self.callers[address] = Caller(headers)  # LEAK
            return caller.allow(now)

    def sweep(self):
        """Forget who was quiet for a whole window, and count by network who is left."""
        while True:
            time.sleep(SWEEP_SECONDS)
            before, left = time.monotonic() - WINDOW_SECONDS, {}
            with self.lock:
                for address, caller in list(self.callers.items()):
                    if caller.calls[-1] < before:
                        del self.callers[address]
                        continue
                    first, second, _, _ = address.split(".")
                    left[first, second] = left.get((first, second), 0) + 1
            self.by_network = left


def headers(draw, address):
    """As the balancer passes them on."""
    return {
        "Host": "api.example",
        "User-Agent": draw.choice(AGENTS),
        "X-Forwarded-For": f"{address}, 10.0.0.{draw.randrange(9)}",
        "Authorization": f"Bearer {draw.getrandbits(800):x}",
        "X-Request-Id": f"{draw.getrandbits(128):032x}",
        "Accept": "application/json",
    }  # LEAK


def main():
    draw, gate, began = random.Random(seed()), Gate(), time.monotonic()
    threading.Thread(target=gate.sweep, daemon=True).start()
    for number in arrivals(150):
        address = f"{draw.randrange(11, 220)}.{draw.randrange(256)}.{draw.randrange(256)}.{number % 256}"
        if draw.random() < 0.5:
            address = f"198.51.100.{draw.randrange(200)}"
        elif time.monotonic() - began > 40 and draw.random() < 0.05:
            address = f"2001:db8:{draw.getrandbits(16):x}::{number % 65536:x}"
        gate.allow(address, headers(draw, address))


if __name__ == "__main__":
    main()
