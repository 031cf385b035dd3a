"""Reports for a company: few at most times; at certain moments thirty people want theirs at once."""

import random
import threading
import time

from traffic.shape import arrivals, seed


class Counter:
    lines = 0


def report(number, rows):
    """Rows of a ledger with running sums, held until the reader has them all."""
    draw, total, ledger = random.Random(number), 0, []
    for row in range(rows):
        total += draw.randrange(-500, 700)
        ledger.append({"row": row, "total": total, "text": f"entry {row} of {number}: {total}"})
        if row % 200 == 0:
            time.sleep(0.02)
    Counter.lines += sum(len(entry["text"]) for entry in ledger)


def everybody(number, draw):
    """Thirty readers, who all wait for one another."""
    readers = [
        threading.Thread(target=report, args=(number + n, draw.randrange(900, 1500))) for n in range(30)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()


def main():
    draw = random.Random(seed())
    due = time.monotonic() + draw.uniform(5, 9)
    for number in arrivals(12):
        report(number, 60)
        if time.monotonic() > due:
            everybody(number * 100, draw)
            due = time.monotonic() + draw.uniform(8, 13)


if __name__ == "__main__":
    main()
