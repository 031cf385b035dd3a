"""How much work comes when: the named loads, and a loop that waits for the next piece of work.

The load's name and the seed come from the environment (CORPUS_LOAD, CORPUS_SEED), so that a program is the
same file under each load.
"""

import math
import os
import random
import time

LATE_SECONDS = 1.0


def load_name():
    return os.environ.get("CORPUS_LOAD", "steady")


def variant():
    """What makes this replica different from the others of its fleet: "" for most programs."""
    return os.environ.get("CORPUS_VARIANT", "")


def seed():
    return int(os.environ.get("CORPUS_SEED", "1"))


def factor(load, seconds, draw):
    """The load's rate at a moment, as a multiple of the program's own rate."""
    if load == "light":
        return 0.5
    if load == "heavy":
        return 2.0
    if load == "bursty":
        # Bursts of some seconds, twelve a minute in the mean, at other moments in each run.
        return 3.0 if draw.random() < 0.25 else 0.35
    if load == "daily":
        return 1.0 + 0.8 * math.sin(2 * math.pi * seconds / 30.0 - 1.5)
    if load == "ramp":
        return 0.4 + 1.8 * min(seconds / 45.0, 1.0)
    return 1.0


def arrivals(per_second, salt=0):
    """Yield 0, 1, 2, … at random moments, at `per_second` × the load's factor.

    A program that falls behind by more than a second loses what it missed: a busy machine thins the load, it
    does not pile it up.
    """
    load = load_name()
    draw = random.Random(seed() * 7919 + salt)
    started = time.monotonic()
    due = started
    drawn_until, now_factor = started, 1.0
    number = 0
    while True:
        if due >= drawn_until:
            now_factor = factor(load, due - started, draw)
            drawn_until = due + draw.uniform(0.7, 2.0)
        due += draw.expovariate(max(per_second * now_factor, 0.01))
        late = time.monotonic() - due
        if late < 0:
            time.sleep(-late)
        elif late > LATE_SECONDS:
            due += late
            drawn_until = max(drawn_until, due)
        yield number
        number += 1
