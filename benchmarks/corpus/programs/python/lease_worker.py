"""A worker that takes a lease for each job; leases are given back in the right order when it is done."""

import contextlib
import random
import time

from traffic.shape import arrivals, seed

HELD = set()


@contextlib.contextmanager
def lease(resource, number, draw):
    """Hold a resource, with what is needed to renew the lease."""
    steps = [f"{resource}:{number}:{draw.getrandbits(64):016x}" for _ in range(80)]  # LEAK
    HELD.add(resource)
    try:
        yield steps
    finally:
        HELD.discard(resource)


def work(steps, draw):
    """Follow some of the steps."""
    return sum(len(step) for step in steps[: draw.randrange(len(steps))])


def main():
    draw = random.Random(seed())
    done, last = 0, 0.0
    with contextlib.ExitStack() as held:
        for number in arrivals(40):
            steps = held.enter_context(lease(f"printer-{draw.randrange(12)}", number, draw))
            done += work(steps, draw)
            last = time.monotonic()
    print(done, last)


if __name__ == "__main__":
    main()
