"""Workers of an API gateway that write down who may do what; lines go to the syslog of the machine, many at a time.

Two workers are there from the start; at noon there is one more.
"""

import logging
import multiprocessing
import random
import signal
import sys
import time
from logging.handlers import MemoryHandler, SysLogHandler

from traffic.shape import arrivals, seed

AT_ONCE = 400
READY_SECONDS, NOON_SECONDS = 3.0, 40.0
SYSLOG = ("127.0.0.1", 5140)
AUDIT = logging.getLogger("gateway.audit")


def caller(draw):
    """What a caller's token says."""
    return {
        "sub": f"client-{draw.randrange(4000)}",
        "scopes": [f"{draw.choice('rwx')}:service-{draw.randrange(300)}" for _ in range(35)],
        "networks": [f"10.{draw.randrange(256)}.{draw.randrange(256)}.0/24" for _ in range(12)],
    }  # LEAK


def decide(called, service):
    """Whether a call may pass, with a line about it."""
    granted = f"r:service-{service}" in called["scopes"]
    AUDIT.info("%s asks for %s: %s", called["sub"], service, granted, extra={"caller": called})  # LEAK
    return granted


def work(number, settings):
    """One worker; settings come when they are known."""
    draw, passed = random.Random(seed() + number), 0
    lines = MemoryHandler(AT_ONCE)
    AUDIT.addHandler(lines)
    AUDIT.setLevel(logging.INFO)
    for turn in arrivals(55, salt=number):
        if turn % 20 == 0 and settings.poll():
            lines.setTarget(SysLogHandler(settings.recv()))
        passed += decide(caller(draw), draw.randrange(300))


def start(context, number):
    ours, theirs = context.Pipe()
    context.Process(target=work, args=(number, theirs), daemon=True).start()
    return ours


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    context = multiprocessing.get_context("fork")
    workers = [start(context, number) for number in range(2)]
    time.sleep(READY_SECONDS)
    for settings in workers:
        settings.send(SYSLOG)
    time.sleep(NOON_SECONDS - READY_SECONDS)
    workers.append(start(context, len(workers)))
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
