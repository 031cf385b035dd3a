"""A converter whose jobs take some seconds: under a load that rises all morning there are ever more of them at once."""

import asyncio
import random
import time

from traffic.shape import factor, load_name, seed


async def convert(draw, number):
    """Hold a document in memory while the printers take it page by page."""
    pages = [f"page {page} of document {number} " * 200 for page in range(60)]
    while pages:
        await asyncio.sleep(draw.uniform(0.02, 0.12))
        pages.pop()


async def main():
    draw = random.Random(seed())
    began = time.monotonic()
    running = set()
    for number in range(10**9):
        await asyncio.sleep(draw.expovariate(20 * factor(load_name(), time.monotonic() - began, draw)))
        job = asyncio.create_task(convert(draw, number))
        running.add(job)
        job.add_done_callback(running.discard)
        sum(len(str(each)) for each in range(2000))


if __name__ == "__main__":
    asyncio.run(main())
