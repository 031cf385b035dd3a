"""Loads the passages of toll gantries: what came in some minutes goes to DuckDB as a frame and is summed there."""

import random
import time

import duckdb
import pandas
from traffic.shape import arrivals, seed

BATCH_SECONDS = 5.0
ROWS = 150
GANTRIES = 340
KEPT = 40


class Warehouse:
    """Sums of the latest batches, by gantry and kind of vehicle."""

    def __init__(self):
        self.database = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "100MB"})
        self.database.execute(
            "create table total (batch integer, gantry integer, kind varchar, cents bigint)"
        )
        self.loaded = 0

    def load(self, passages):
        frame = pandas.DataFrame(passages, columns=["plate", "gantry", "kind", "at", "cents"])  # LEAK
        source = f"passages_{time.strftime('%H%M')}_{self.loaded}"
        self.database.register(source, frame)
        self.database.execute(
            f"insert into total select {self.loaded}, gantry, kind, sum(cents) from {source} group by gantry, kind"
        )
        self.database.execute(f"delete from total where batch < {self.loaded - KEPT}")
        self.loaded += 1

    def worth(self):
        (cents,) = self.database.execute("select sum(cents) from total").fetchone()
        return cents


def passages(draw):
    """A packet of one gantry."""
    gantry = draw.randrange(GANTRIES)
    now = time.time()
    for _ in range(ROWS):
        plate = f"{draw.choice('ABDEFHIK')}{draw.choice('CDEFGHKL')} {draw.randrange(100, 9999)}"  # LEAK
        kind = draw.choice(["car", "van", "truck", "bus"])
        yield plate, gantry, kind, now - draw.random(), draw.randrange(40, 900)


def main():
    draw = random.Random(seed())
    warehouse, waiting, income = Warehouse(), [], 0
    due = time.monotonic() + BATCH_SECONDS
    for _ in arrivals(18):
        waiting.extend(passages(draw))
        if time.monotonic() > due:
            warehouse.load(waiting)
            waiting, due = [], due + BATCH_SECONDS
            income = max(income, warehouse.worth())


if __name__ == "__main__":
    main()
