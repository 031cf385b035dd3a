"""A scheduler: jobs are run once at their time; before each new one it looks through the list for what is due."""

import datetime
import random

from traffic.shape import arrivals, seed

FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class Job:
    """Something to be done once."""

    def __init__(self, number, draw):
        self.number, self.output = number, None
        delay = datetime.timedelta(seconds=draw.uniform(0.1, 1.5))
        self.due = (datetime.datetime.now() + delay).strftime(FORMAT)

    def seconds_left(self, now):
        return (datetime.datetime.strptime(self.due, FORMAT) - now).total_seconds()

    def run(self):
        rows = [f"job {self.number} row {row}: {row * self.number % 9973}" for row in range(90)]  # LEAK
        self.output = rows


class Scheduler:
    """All jobs in the order in which they were made."""

    def __init__(self):
        self.jobs, self.ran = [], 0

    def add(self, job):
        self.jobs.append(job)

    def run_due(self):
        now = datetime.datetime.now()
        for job in self.jobs:
            if job.seconds_left(now) <= 0 and job.output is None:
                job.run()
                self.ran += 1

    def last(self, count):
        return [len(job.output or ()) for job in self.jobs[-count:]]


def main():
    draw = random.Random(seed())
    scheduler, shown = Scheduler(), 0
    for number in arrivals(28):
        scheduler.add(Job(number, draw))
        scheduler.run_due()
        shown += sum(scheduler.last(5))


if __name__ == "__main__":
    main()
