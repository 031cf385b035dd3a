"""Reports are jobs of APScheduler; what a report found waits half an hour for whoever asked for it."""

import logging
import random
import threading
import time

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from traffic.shape import arrivals, seed

KEPT_SECONDS = 30.0
SWEEP_SECONDS = 6
SCHEDULER = BackgroundScheduler(
    executors={"default": ThreadPoolExecutor(3)}, job_defaults={"misfire_grace_time": None}
)
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


class Results:
    """What jobs gave back, or why they did not, with the time."""

    def __init__(self):
        self.results, self.lock = {}, threading.Lock()

    def heard(self, event):
        if event.job_id == "sweep":
            return
        with self.lock:
            self.results[event.job_id] = time.monotonic(), event.retval or str(event.exception)

    def fetch(self, name):
        with self.lock:
            return self.results.get(name)

    def sweep(self):
        limit = time.monotonic() - KEPT_SECONDS
        with self.lock:
            for name in [name for name, (at, _) in self.results.items() if at < limit]:
                del self.results[name]


def report(number, rows):
    """Turnover by article, as the page shows it."""
    draw = random.Random(number)
    if draw.random() < 0.07:
        raise TimeoutError(f"report {number}")
    return [
        {"article": f"article {draw.randrange(9000)}", "sold": draw.randrange(400), "share": draw.random()}
        for _ in range(rows)
    ]


def main():
    draw = random.Random(seed())
    results, shown = Results(), 0
    SCHEDULER.add_listener(results.heard, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    SCHEDULER.add_job(results.sweep, "interval", seconds=SWEEP_SECONDS, id="sweep")
    SCHEDULER.start()
    for number in arrivals(11):
        SCHEDULER.add_job(report, args=[number, draw.randint(60, 400)], id=str(number))
        shown += results.fetch(str(number - draw.randint(5, 60))) is not None


if __name__ == "__main__":
    main()
