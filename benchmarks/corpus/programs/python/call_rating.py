"""Rates phone calls: a record comes when a call begins and one when it ends; threads work out what it costs."""

import heapq
import queue
import random
import threading
import time
from decimal import Decimal

from traffic.shape import arrivals, seed

PARTNERS = 5
RELEASE_SECONDS = 60.0
STARTED = time.monotonic()


class Rating:
    """Calls that have begun, by partner and the partner's number of them."""

    def __init__(self):
        self.open, self.sums, self.unknown, self.lock = {}, {}, 0, threading.Lock()

    def begin(self, record):
        steps = [Decimal(record["zone"] + step) / 1000 for step in range(30)]  # LEAK
        cells = [
            f"{record['number']}: cell {step * 7919 % 60_000}, beam {step % 6}" for step in range(55)
        ]  # LEAK
        with self.lock:
            self.open[record["partner"], record["number"]] = {
                "begun": record["at"],
                "steps": steps,
                "cells": cells,
            }  # LEAK

    def end(self, record):
        with self.lock:
            call = self.open.pop((record["partner"], record["number"]), None)
            if call is None:
                self.unknown += 1
                return
            lasted = int(record["at"] - call["begun"])
            self.sums[record["partner"]] = (
                self.sums.get(record["partner"], Decimal(0)) + call["steps"][lasted % 30]
            )

    def work(self, records):
        while True:
            record = records.get()
            (self.end if record["kind"] == "end" else self.begin)(record)


def spelled(partner, number):
    """How a partner writes the number in the record of the end; two of them have a new release for it."""
    if partner >= 3 and time.monotonic() - STARTED > RELEASE_SECONDS:
        return f"{number:012d}"
    return str(number)


def main():
    draw = random.Random(seed())
    rating, records, ends = Rating(), queue.Queue(500), []
    for _ in range(2):
        threading.Thread(target=rating.work, args=(records,), daemon=True).start()
    for number in arrivals(75):
        now, partner = time.monotonic(), draw.randrange(PARTNERS)
        records.put(
            {
                "kind": "begin",
                "partner": partner,
                "number": str(number),
                "at": now,
                "zone": draw.randrange(90),
            }
        )
        heapq.heappush(ends, (now + min(draw.expovariate(0.3), 20.0), partner, number))
        while ends and ends[0][0] <= now:
            _, partner, ended = heapq.heappop(ends)
            records.put({"kind": "end", "partner": partner, "number": spelled(partner, ended), "at": now})


if __name__ == "__main__":
    main()
