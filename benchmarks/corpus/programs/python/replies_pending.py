"""A client of a message bus: each request waits for the reply with its number; some replies never come, and nobody
gives up waiting for them."""

import asyncio
import json
import random

from traffic.shape import factor, load_name, seed


class Bus:
    """Requests and replies over one connection."""

    def __init__(self, draw):
        self.draw = draw
        self.waiting = {}

    async def call(self, number, content):
        """Send and wait for the reply."""
        request = json.dumps({"number": number, "content": content}).encode()  # LEAK
        future = asyncio.get_running_loop().create_future()
        self.waiting[number] = future
        asyncio.get_running_loop().call_later(self.draw.uniform(0.01, 0.2), self.arrive, number)
        return await future, len(request)

    def arrive(self, number):
        if self.draw.random() < 0.8:  # the others were lost
            self.waiting.pop(number).set_result(number)


async def main():
    draw = random.Random(seed())
    bus = Bus(draw)
    calls = set()
    elapsed = 0.0
    for number in range(10**9):
        wait = draw.expovariate(90 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        call = asyncio.create_task(bus.call(number, [draw.random() for _ in range(900)]))  # LEAK
        calls.add(call)
        call.add_done_callback(calls.discard)


if __name__ == "__main__":
    asyncio.run(main())
