"""The state of orders, on aiohttp: who asks waits until something changes, twenty seconds at most."""

import asyncio
import random

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from traffic.shape import factor, load_name, seed
from traffic.web import port

ORDERS = 500
WAIT_SECONDS = 20.0
STEPS = ("received", "paid", "packed", "sent", "delivered")


class Board:
    """States of orders, and who waits for the next one."""

    def __init__(self):
        self.states, self.waiting = {order: self.state(order, 0) for order in range(ORDERS)}, {}

    def state(self, order, step):
        parts = [{"part": part, "text": f"order {order}, part {part}: {STEPS[step]}"} for part in range(14)]
        return {"step": step, "parts": parts}

    def change(self, order):
        self.states[order] = self.state(order, (self.states[order]["step"] + 1) % len(STEPS))
        for waits in self.waiting.pop(order, ()):
            if not waits.done():
                waits.set_result(self.states[order])

    async def look(self, request):
        order, seen = int(request.match_info["order"]), dict(self.states)
        waits = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(order, set()).add(waits)
        try:
            state = await asyncio.wait_for(waits, WAIT_SECONDS)
        except asyncio.TimeoutError:
            state = seen[order]
        finally:
            if order in self.waiting:
                self.waiting[order].discard(waits)
        return web.json_response(state)


async def watcher(session, draw):
    """A page that is open for a while."""
    address = f"http://127.0.0.1:{port()}/states/{draw.randrange(ORDERS)}"
    for _ in range(draw.randint(1, 4)):
        try:
            async with session.get(address, timeout=ClientTimeout(draw.uniform(3.0, 40.0))) as answer:
                await answer.json()
        except (ClientError, asyncio.TimeoutError):
            return


async def work(board):
    """Orders go on, and people come to look."""
    draw, pages, elapsed = random.Random(seed()), set(), 0.0
    async with ClientSession() as session:
        while elapsed >= 0:
            wait = draw.expovariate(15 * factor(load_name(), elapsed, draw))
            elapsed += wait
            await asyncio.sleep(wait)
            board.change(draw.randrange(ORDERS))
            if draw.random() < 0.35 and len(pages) < 400:
                opened = asyncio.create_task(watcher(session, draw))
                pages.add(opened)
                opened.add_done_callback(pages.discard)


async def main():
    application, board = web.Application(), Board()
    application.router.add_get("/states/{order}", board.look)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port()).start()
    await work(board)


if __name__ == "__main__":
    asyncio.run(main())
