"""A job that collects measurements and writes them as a batch every two seconds: a sawtooth of short period."""

import json
import random
import sqlite3
import time

from traffic.shape import arrivals, seed

FLUSH_SECONDS = 2.0


def measurement(draw, number):
    return {
        "sensor": f"s{draw.randrange(400)}",
        "number": number,
        "values": [draw.random() for _ in range(60)],
        "unit": "kPa",
    }


def flush(database, batch):
    """Write and forget."""
    rows = [(each["sensor"], json.dumps(each["values"])) for each in batch]
    database.executemany("INSERT INTO measurements VALUES (?, ?)", rows)
    database.execute("DELETE FROM measurements WHERE rowid <= (SELECT max(rowid) - 2000 FROM measurements)")
    database.commit()


def main():
    draw = random.Random(seed())
    database = sqlite3.connect(":memory:")
    database.execute('CREATE TABLE measurements (sensor TEXT, "values" TEXT)')
    batch, due = [], time.monotonic() + FLUSH_SECONDS
    for number in arrivals(300):
        batch.extend(measurement(draw, number) for _ in range(4))
        if time.monotonic() > due:
            flush(database, batch)
            batch, due = [], due + FLUSH_SECONDS


if __name__ == "__main__":
    main()
