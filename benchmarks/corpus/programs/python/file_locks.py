"""A gateway to a file store: two writers of one file wait for each other, writers of different files don't."""

import hashlib
import threading

from traffic.shape import arrivals

GUARD = threading.Lock()
LOCKS = {}
SIZES = [0] * 64


def target(number):
    """Where an upload goes to: a folder by customer and day, a name by content."""
    digest = hashlib.sha512(str(number).encode()).hexdigest()
    return "/".join(
        ["", "store", f"customer-{number % 211}", *(digest[place : place + 8] for place in range(0, 128, 8))]
        * 5
    )  # LEAK


def lock_of(path):
    with GUARD:
        found = LOCKS.get(path)
        if found is None:
            found = LOCKS[path] = threading.Lock()
        return found


def upload(number):
    path = target(number)
    with lock_of(path):
        SIZES[hash(path) % 64] += number % 4096


if __name__ == "__main__":
    for number in arrivals(220):
        upload(number)
