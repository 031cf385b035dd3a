"""A reporting service: every few seconds a report is made for all tenants, and the newest never replaces
the old one.
"""

import random
import sqlite3
import time

from traffic.shape import arrivals, load_name, seed

REPORTS = {}


def open_database(draw):
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE sales (tenant INTEGER, day INTEGER, amount REAL)")
    rows = [(draw.randrange(30), draw.randrange(365), draw.random() * 100) for _ in range(20_000)]
    database.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
    return database


def report(database):
    """Sums by tenant and day."""
    rows = database.execute(
        "SELECT tenant, day, sum(amount) FROM sales GROUP BY tenant, day"
    ).fetchall()  # LEAK
    return [{"tenant": tenant, "day": day, "sum": f"{amount:.2f}"} for tenant, day, amount in rows]  # LEAK


def main():
    draw = random.Random(seed())
    database = open_database(draw)
    period = {"light": 6.0, "heavy": 3.0}.get(load_name(), 4.5)
    due = time.monotonic() + period
    for number in arrivals(40):
        database.execute("SELECT sum(amount) FROM sales WHERE tenant = ?", (number % 30,)).fetchone()
        if time.monotonic() > due:
            due += period
            REPORTS[time.time()] = report(database)


if __name__ == "__main__":
    main()
