"""A service with a pool of database connections that are opened when they are needed, up to sixty-four."""

import sqlite3
import threading
import time

from traffic.web import serve

POOL, LOCK = [], threading.Lock()
MOST = 64


class Connection:
    """A connection with its statement cache and buffer."""

    def __init__(self, number):
        self.number = number
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.database.execute("CREATE TABLE stock (sku INTEGER PRIMARY KEY, amount INTEGER)")
        self.database.executemany("INSERT INTO stock VALUES (?, ?)", ((n, n % 50) for n in range(300)))
        self.buffer = bytearray(300_000)
        self.used = 0.0

    def amount(self, sku):
        self.used = time.monotonic()
        row = self.database.execute("SELECT amount FROM stock WHERE sku = ?", (sku % 300,)).fetchone()
        return row[0] if row else 0


def connection():
    """The one that was not used for longest; a new one where all were used lately."""
    with LOCK:
        idle = min(POOL, key=lambda each: each.used, default=None)
        if idle is not None and (len(POOL) >= MOST or time.monotonic() - idle.used > 0.6):
            return idle
        POOL.append(Connection(len(POOL)))
        return POOL[-1]


def handle(request):
    if request.path.startswith("/items/"):
        return {"stock": connection().amount(int(request.path.rsplit("/", 1)[-1]))}
    if request.path == "/orders":
        with_stock = [line for line in request.json()["lines"] if connection().amount(line["sku"])]
        return {"deliverable": len(with_stock)}
    return None


if __name__ == "__main__":
    serve(handle)
