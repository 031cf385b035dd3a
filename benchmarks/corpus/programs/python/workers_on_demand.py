"""Jobs go to workers over a pipe; there is one more when jobs wait, up to seven, and one that is idle for 4 s ends."""

import fcntl
import os
import random
import select
import struct
import termios
import time

from traffic.shape import arrivals, seed

MOST_WORKERS = 7
IDLE_SECONDS = 4.0
ZONES = 16_000
JOB = struct.Struct("<q")


def work(jobs, number):
    """Take jobs until there was none for a while."""
    rates = [f"zone {zone} of {number}: {zone * 1.07:.4f}; " * 8 for zone in range(ZONES)]
    os.set_blocking(jobs, False)
    done = 0
    while select.select([jobs], [], [], IDLE_SECONDS)[0]:
        try:
            (job,) = JOB.unpack(os.read(jobs, JOB.size))
        except BlockingIOError:  # somebody else was quicker
            continue
        done += len(rates[job % ZONES])
        time.sleep(0.4)


class Crew:
    """The workers that are there."""

    def __init__(self, jobs):
        self.jobs, self.workers, self.started = jobs, set(), 0

    def adapt(self):
        while self.workers:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            self.workers.discard(pid)
        waiting = struct.unpack("i", fcntl.ioctl(self.jobs, termios.FIONREAD, b"\0" * 4))[0] // JOB.size
        if (waiting > 1 or not self.workers) and len(self.workers) < MOST_WORKERS:
            self.started += 1
            pid = os.fork()
            if pid == 0:
                work(self.jobs, self.started)
                os._exit(0)
            self.workers.add(pid)


def main():
    draw = random.Random(seed())
    jobs, orders = os.pipe()
    os.set_blocking(orders, False)
    crew, lost = Crew(jobs), 0
    for _ in arrivals(7):
        try:
            os.write(orders, JOB.pack(draw.randrange(10**9)))
        except BlockingIOError:
            lost += 1
        crew.adapt()


if __name__ == "__main__":
    main()
