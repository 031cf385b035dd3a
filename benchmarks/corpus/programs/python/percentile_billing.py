"""Bills traffic by the 95th percentile: samples of each customer's ports are gathered for an hour, then billed."""

import random
import sqlite3
import time

from traffic.shape import arrivals, seed

HOUR_SECONDS = 60.0
CUSTOMERS = 160
PORTS = 4


class Meter:
    """Samples of the hour, by port."""

    def __init__(self):
        self.samples = {}

    def take(self, port, into, out):
        both = self.samples.setdefault(port, ([], []))
        both[0].append(into)
        both[1].append(out)

    def percentiles(self):
        """For each port the larger one of both directions; the meter begins anew."""
        samples, self.samples = self.samples, {}
        for port, (into, out) in samples.items():
            place = int(len(into) * 0.95)
            yield port, max(sorted(into)[place], sorted(out)[place])


def bill(meter, database):
    """One line for each customer; bills of the last few hours stay, for questions."""
    sums = {}
    for (customer, _), rate in meter.percentiles():
        sums[customer] = sums.get(customer, 0.0) + rate
    hour = time.time()
    database.executemany("insert into bill values (?, ?, ?)", [(hour, *line) for line in sums.items()])
    database.execute("delete from bill where hour < (select max(hour) from bill) - 150")
    database.commit()


def main():
    draw = random.Random(seed())
    database = sqlite3.connect("")
    database.execute("create table bill (hour real, customer integer, amount real)")
    meter, ends = Meter(), time.monotonic() + HOUR_SECONDS
    ports = [(customer, port) for customer in range(CUSTOMERS) for port in range(PORTS)]
    for number in arrivals(100):
        for port in ports[number % 8 :: 8]:
            meter.take(port, draw.random() * 1e9, draw.random() * 1e8)
        if time.monotonic() > ends:
            bill(meter, database)
            ends += HOUR_SECONDS


if __name__ == "__main__":
    main()
