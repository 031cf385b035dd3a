"""A job runner that starts one more worker whenever there is a backlog, up to what the licence allows."""

import queue
import threading
import time

from traffic.shape import arrivals

JOBS = queue.Queue(maxsize=400)
CREW = []
LICENSED = 26


def worker():
    """Each has a table of its own."""
    table = {place: f"rate {place * 1.07:.6f} of zone {place % 19}" * 4 for place in range(2200)}
    while True:
        job = JOBS.get()
        time.sleep(0.05)
        JOBS.done = len(table[job % 2200])


def look():
    if JOBS.qsize() > 40 and len(CREW) < LICENSED:
        thread = threading.Thread(target=worker, daemon=True)
        thread.start()
        CREW.append(thread)


if __name__ == "__main__":
    looked = 0.0
    for number in arrivals(300):
        if not JOBS.full():
            JOBS.put(number)
        if time.monotonic() > looked + 1.6:
            looked = time.monotonic()
            look()
