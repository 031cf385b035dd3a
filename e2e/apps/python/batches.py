"""Healthy: every few seconds a batch is read in whole, worked on and let go: a sawtooth."""

import time


def batch(size):
    """Read a batch piece by piece."""
    records = []
    for step in range(20):
        records.extend({"n": n, "text": f"record {n} of step {step}"} for n in range(size))
        time.sleep(0.15)
    return sum(len(record["text"]) for record in records)


def main():
    turn = 0
    while True:
        turn += 1
        batch(6_000 + 500 * (turn % 3))
        time.sleep(1.0)


if __name__ == "__main__":
    main()
