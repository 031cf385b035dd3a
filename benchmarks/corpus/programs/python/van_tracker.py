"""Follows delivery vans over websockets: while a van is on its round it stays connected and says where it is."""

import asyncio
import gc
import json
import random
from collections import deque

from traffic.shape import factor, load_name, seed
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

TRACE = 120
HOUSEKEEPING_SECONDS = 15.0


class Tracker:
    """Vans that are connected, with the newest part of their way."""

    def __init__(self):
        self.vans, self.rounds, self.places, self.freed = {}, 0, 0, 0

    async def accept(self, connection):
        number = self.rounds = self.rounds + 1
        trace = self.vans[number] = deque(maxlen=TRACE)
        try:
            async for text in connection:
                place = json.loads(text)
                trace.append(place)
                self.places += 1
                await connection.send(json.dumps({"next": place["stop"] + 1, "of": len(trace)}))
        except ConnectionClosed:
            pass
        finally:
            del self.vans[number]

    async def keep_house(self):
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self.freed += gc.collect()


async def round_of(port, van, draw):
    """A van's round of 12 to 32 s; one in five ends in a place without a network."""
    connection = await connect(f"ws://127.0.0.1:{port}")
    stops = draw.randint(14, 36)
    for stop in range(stops):
        place = {
            "van": van,
            "stop": stop,
            "at": [51 + draw.random(), 13 + draw.random()],
            "parcels": [f"{draw.getrandbits(44):011x}" for _ in range(draw.randint(1, 9))],
        }
        await connection.send(json.dumps(place))
        await connection.recv()
        await asyncio.sleep(draw.uniform(0.6, 1.2))
    if draw.random() < 0.2:
        connection.transport.abort()
    else:
        await connection.close()


async def main():
    draw, tracker, rounds, elapsed, van = random.Random(seed()), Tracker(), set(), 0.0, 0
    async with serve(tracker.accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        house = asyncio.create_task(tracker.keep_house())
        while not house.done():
            wait = draw.expovariate(2.6 * factor(load_name(), elapsed, draw))
            elapsed += wait
            await asyncio.sleep(wait)
            van += 1
            driving = asyncio.create_task(round_of(port, van, draw))
            rounds.add(driving)
            driving.add_done_callback(rounds.discard)


if __name__ == "__main__":
    asyncio.run(main())
