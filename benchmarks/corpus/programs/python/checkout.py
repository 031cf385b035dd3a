"""A checkout that reserves stock for each order until it is paid; in the variant "stuck" the payments are never seen.

For fleets: the same program in all replicas, of which some leak.
"""

import itertools
import time
from collections import deque

from traffic.shape import variant
from traffic.web import serve

RESERVED = {}
PAID = deque()
NUMBERS = itertools.count()
PAY_SECONDS = 3.0


def reserve(request, order):
    """Hold the articles of an order."""
    lines = [
        {**line, "shelf": f"shelf {line['sku'] % 300}", "label": line["note"] * 60} for line in order["lines"]
    ]  # LEAK
    key = (request.session, next(NUMBERS))
    RESERVED[key] = lines
    PAID.append((time.monotonic() + PAY_SECONDS, key))
    return lines


def release():
    """Let go of what was paid."""
    while PAID and PAID[0][0] < time.monotonic():
        _, key = PAID.popleft()
        RESERVED.pop(key, None)


def release_nothing():
    """The payments' queue is not read: its name is wrong in this configuration."""
    while len(PAID) > 1000:
        PAID.popleft()


def handle(request):
    (release_nothing if variant() == "stuck" else release)()
    if request.path == "/orders":
        return {"reserved": len(reserve(request, request.json()))}
    if request.path.startswith("/items/"):
        return {"item": request.path, "busy": len(RESERVED) > 100}
    return None


if __name__ == "__main__":
    serve(handle)
