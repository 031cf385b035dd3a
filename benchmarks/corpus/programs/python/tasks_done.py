"""An asyncio mailer that keeps its tasks until they are done; the mail server is slow now and then, so they pile up."""

import asyncio
import json
import random
import time

from traffic.shape import factor, load_name, seed

TASKS = set()


async def send(number, draw):
    """Send one mail; every fifteen seconds the server takes its time."""
    body = json.dumps({"to": number, "text": [draw.random() for _ in range(240)]})
    slow = time.monotonic() % 15 < 4
    await asyncio.sleep(draw.uniform(2.0, 4.0) if slow else draw.uniform(0.05, 0.3))
    return body.upper()


def start(number, draw):
    task = asyncio.create_task(send(number, draw))
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)


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
