"""A catalogue service that reads a large import now and then; of each import a sample is kept for the quality report,
and the samples lie all over the arenas that the import needed: they are held, though hardly anything is in them."""

import json
import random
import time

from traffic.shape import arrivals, seed

SAMPLES = []


def read_import(draw, size):
    """All records of an import; one in four hundred is kept."""
    records = []
    for part in range(25):
        text = json.dumps(
            [{"sku": draw.randrange(10**7), "title": f"article {number}"} for number in range(size // 25)]
        )
        records.extend(json.loads(text))
        time.sleep(0.15)
    SAMPLES[:] = records[::400]
    return len(records)


def main():
    draw = random.Random(seed())
    due, imported = time.monotonic() + draw.uniform(8, 14), 0
    for number in arrivals(60):
        sum(len(f"{number}/{each}") for each in range(400))
        if time.monotonic() > due:
            imported += read_import(draw, 120_000)
            due = time.monotonic() + 22


if __name__ == "__main__":
    main()
