"""An asyncio mailer that keeps its tasks so that they are not collected early, and forgets to let them go when done."""

import asyncio
import json
import random

from traffic.shape import factor, load_name, seed

TASKS = set()


async def send(number, draw):
    """Send one mail; the answer of the server is the task's result."""
    body = json.dumps({"to": number, "text": [draw.random() for _ in range(240)]})
    await asyncio.sleep(draw.uniform(0.05, 0.3))
    return body.upper()  # LEAK


def start(number, draw):
    task = asyncio.create_task(send(number, draw))
    TASKS.add(task)


async def main():
    draw = random.Random(seed())
    elapsed = 0.0
    for number in range(10**9):
        wait = draw.expovariate(80 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        start(number, draw)


if __name__ == "__main__":
    asyncio.run(main())
