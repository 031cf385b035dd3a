"""An importer of orders that arrive more than once: what was seen in the last four thousand lines is remembered."""

import hashlib
from collections import OrderedDict

from traffic.web import serve

SEEN = OrderedDict()
WINDOW = 4000
TOTALS = {}


def fingerprint(line, user):
    """What makes two deliveries of a line the same."""
    canonical = f"{user}|{line['sku']}|{line['quantity']}|{line['note']}"
    return canonical, hashlib.sha256(canonical.encode()).hexdigest() * 24


def is_new(line, user):
    text, digest = fingerprint(line, user)
    key = f"{digest}/{text}"
    if key in SEEN:
        SEEN.move_to_end(key)
        return False
    SEEN[key] = None
    if len(SEEN) > WINDOW:
        SEEN.popitem(last=False)
    return True


def book(order):
    new = [line for line in order["lines"] if is_new(line, order["user"])]
    for line in new:
        shelf = line["sku"] % 300
        TOTALS[shelf] = TOTALS.get(shelf, 0) + line["quantity"]
    return {"booked": len(new), "known": len(order["lines"]) - len(new)}


def handle(request):
    if request.path == "/orders":
        return book(request.json())
    if request.path.startswith("/items/"):
        shelf = int(request.path.rsplit("/", 1)[-1]) % 300
        return {"shelf": shelf, "total": TOTALS.get(shelf, 0)}
    return None


if __name__ == "__main__":
    serve(handle)
