"""A shop that plans a reminder with each order; most are paid soon, and their reminders called off."""

import heapq
import itertools
import json
import threading
import time

from traffic.web import serve

DAY = 1800.0
PLANNED, LOCK, NUMBERS = [], threading.Lock(), itertools.count()
OPEN = {}


class Reminder:
    """A letter that is sent when its time comes, unless it was called off."""

    def __init__(self, order, text):
        self.order, self.text, self.off = order, text, False


def plan(body):
    order = json.loads(body)  # LEAK
    lines = [
        f"{line['quantity']:>4} × {line['sku']:>7} {line['note']}" for line in order["lines"] * 12
    ]  # LEAK
    reminder = Reminder(order, lines)
    with LOCK:
        heapq.heappush(PLANNED, (time.monotonic() + DAY, next(NUMBERS), reminder))
        OPEN[order["user"]] = reminder


def paid(user):
    reminder = OPEN.pop(user, None)
    if reminder is not None:
        reminder.off = True


def send_due():
    with LOCK:
        while PLANNED and PLANNED[0][0] < time.monotonic():
            reminder = heapq.heappop(PLANNED)[2]
            if not reminder.off:
                OPEN.pop(reminder.order["user"], None)


def handle(request):
    send_due()
    if request.path == "/orders":
        plan(request.body)
        return {"planned": len(PLANNED)}
    paid(request.session)
    return {"open": len(OPEN)} if request.path.startswith("/items/") else None


if __name__ == "__main__":
    serve(handle)
