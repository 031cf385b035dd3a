"""Healthy: loads its tables during the first seconds, then serves from them."""

import time


def load(rows):
    """Read one table."""
    return {row: f"row {row} " * 6 for row in range(rows)}


def main():
    tables = []
    for _ in range(30):
        tables.append(load(8_000))
        time.sleep(0.4)
    hits = 0
    while True:
        for row in range(3_000):
            hits += len(tables[row % len(tables)][row])
        answers = [str(i) * 5 for i in range(2_000)]
        del answers
        time.sleep(0.05)


if __name__ == "__main__":
    main()
