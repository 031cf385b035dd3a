"""Turns documents into their archive form: each is a job of APScheduler, and whoever asked hears when it is done."""

import logging
import random
import threading
import zlib
from collections import deque

from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from traffic.shape import arrivals, seed

PAGES = 45
SCHEDULER = BackgroundScheduler(
    executors={"default": ThreadPoolExecutor(3)}, job_defaults={"misfire_grace_time": None}
)
DONE = deque(maxlen=500)
LOCK = threading.Lock()
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


class Damaged(Exception):
    """A page that can't be read."""


def scan(draw, number, damaged):
    """The pages of a document, as text with marks."""
    pages = []
    for page in range(PAGES):
        words = " ".join(f"{draw.getrandbits(40):x}" for _ in range(24))
        pages.append(f"<page number='{page}' document='{number}'>{words * 13}</page>")  # LEAK
    if damaged:
        pages[-1] = pages[-1][:-3]  # LEAK
    return pages


def deliveries(draw):
    """Whether a document is damaged: they come from many senders, and one of them has a bad line."""
    while True:
        yield from [False] * draw.randint(60, 110)
        yield from [True] * draw.randint(18, 30)


def convert(pages):
    """Checks and packs them."""
    for page in pages:
        if not page.endswith("</page>"):
            raise Damaged(page[:30])
    return sum(len(zlib.compress(page.encode(), 1)) for page in pages)


def submit(number, pages):
    """The job is told apart from others by its number."""

    def heard(event):
        if event.job_id == str(number):
            SCHEDULER.remove_listener(heard)
            with LOCK:
                DONE.append((number, len(pages), event.retval))

    SCHEDULER.add_listener(heard, EVENT_JOB_EXECUTED)
    SCHEDULER.add_job(convert, args=[pages], id=str(number))


def main():
    draw = random.Random(seed())
    SCHEDULER.start()
    for number, damaged in zip(arrivals(11), deliveries(draw)):
        submit(number, scan(draw, number, damaged))


if __name__ == "__main__":
    main()
