"""The load on a service: `python -m traffic.client PORT REQUESTS_PER_SECOND SECONDS`, run beside the watched program.

Four connections ask for items (few of them often, many of them once), search, order with JSON bodies, and sometimes
ask for what isn't there; a visitor comes back for some requests, then another takes the place.
"""

import http.client
import json
import random
import sys
import threading
import time

from traffic.shape import arrivals, seed

CONNECTIONS = 4
WORDS = "red blue small large winter garden kitchen steel wooden light heavy old new fast quiet round".split()


class Visitor:
    """Who asks, and what comes to mind."""

    def __init__(self, draw):
        self.draw = draw
        self.change()

    def change(self):
        self.session = f"{self.draw.getrandbits(64):016x}"
        self.left = int(self.draw.expovariate(1 / 5)) + 1

    def words(self, count):
        return " ".join(self.draw.choice(WORDS) for _ in range(count))

    def order(self):
        lines = [
            {
                "sku": self.item(),
                "quantity": self.draw.randint(1, 9),
                "note": self.words(self.draw.randint(2, 12)),
            }
            for _ in range(self.draw.randint(1, 8))
        ]
        address = {"street": self.words(3), "number": self.draw.randint(1, 400), "city": self.words(1)}
        return json.dumps({"user": self.session, "lines": lines, "address": address})

    def item(self):
        return min(int(self.draw.paretovariate(0.7)), 200_000)

    def request(self):
        """Method, target and body of the next request."""
        self.left -= 1
        if self.left < 0:
            self.change()
        kind = self.draw.random()
        if kind < 0.5:
            return "GET", f"/items/{self.item()}", None
        if kind < 0.65:
            return "GET", f"/search?q={self.words(2).replace(' ', '+')}&page={self.draw.randint(1, 40)}", None
        if kind < 0.95:
            return "POST", "/orders", self.order()
        return "GET", f"/{self.draw.getrandbits(32):08x}.php", None


def ask(port, per_second, number, until):
    """One connection's requests until the end; opened again whenever it breaks."""
    visitor = Visitor(random.Random(seed() * 31 + number))
    connection = None
    for _ in arrivals(per_second / CONNECTIONS, salt=number):
        if time.monotonic() > until:
            return
        method, target, body = visitor.request()
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            headers = {"X-Session": visitor.session, "Content-Type": "application/json"}
            connection.request(method, target, body, headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection = None
            time.sleep(0.2)


def main():
    port, per_second, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=ask, args=(port, per_second, n, until)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
