"""A job runner that carries who asked along in context variables, and keeps each job's context to show it later."""

import contextvars
import random

from traffic.shape import arrivals, seed

CALLER = contextvars.ContextVar("caller")
BASKET = contextvars.ContextVar("basket")
HISTORY = []


def prepare(draw, number):
    """Everything that the job has to know."""
    CALLER.set({"name": f"user{number}", "groups": [f"group{draw.randrange(100)}" for _ in range(20)]})
    BASKET.set(
        [{"sku": draw.randrange(10**6), "text": f"article {number} of {each}"} for each in range(40)]
    )  # LEAK


def work(number):
    return sum(line["sku"] for line in BASKET.get()) % (number + 1)


def main():
    draw = random.Random(seed())
    done = 0
    for number in arrivals(60):
        context = contextvars.copy_context()
        context.run(prepare, draw, number)
        done += context.run(work, number)
        HISTORY.append(context)


if __name__ == "__main__":
    main()
