"""A broker of sensor values over TCP: whoever comes back gets what was sent while he was away, two hundred at most."""

import asyncio
import json
import random
from collections import defaultdict, deque

from traffic.shape import factor, load_name, seed

TOPICS = 40
WAITING = 200


class Session:
    """What a client wants, and what waits for it."""

    def __init__(self):
        self.topics, self.waiting, self.packets, self.wake = set(), deque(maxlen=WAITING), 0, asyncio.Event()

    def put(self, payload):
        self.packets += 1
        self.waiting.append(b"%d %s\n" % (self.packets, payload))  # LEAK
        self.wake.set()


class Broker:
    """Sessions by the client's name, and who wants which topic."""

    def __init__(self):
        self.sessions, self.wanted = defaultdict(Session), defaultdict(set)

    async def accept(self, reader, writer):
        hello = json.loads(await reader.readline())
        session = self.sessions[hello["client"]]
        for topic in hello["topics"]:
            session.topics.add(topic)
            self.wanted[topic].add(session)
        while not reader.at_eof() and not writer.is_closing():
            try:
                await asyncio.wait_for(session.wake.wait(), 0.5)
            except asyncio.TimeoutError:
                continue
            while session.waiting and not reader.at_eof():
                writer.write(session.waiting.popleft())
            session.wake.clear()
        writer.close()

    def publish(self, topic, payload):
        for session in self.wanted[topic]:
            session.put(payload)


async def dashboard(port, draw):
    """A page that somebody looks at for some seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    topics = draw.sample(range(TOPICS), 12)
    name = f"dashboard-{draw.getrandbits(48):012x}"
    writer.write(json.dumps({"client": name, "topics": topics}).encode() + b"\n")
    try:
        async with asyncio.timeout(draw.uniform(2.0, 9.0)):
            while await reader.readline():
                pass
    except TimeoutError:
        pass
    writer.close()


async def visitors(port, draw):
    looking, elapsed = set(), 0.0
    while elapsed >= 0:
        wait = draw.expovariate(1.0 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        looks = asyncio.create_task(dashboard(port, draw))
        looking.add(looks)
        looks.add_done_callback(looking.discard)


async def main():
    draw, broker, elapsed = random.Random(seed()), Broker(), 0.0
    door = await asyncio.start_server(broker.accept, "127.0.0.1", 0)
    coming = asyncio.create_task(visitors(door.sockets[0].getsockname()[1], draw))
    while not coming.done():
        wait = draw.expovariate(24 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        topic = draw.randrange(TOPICS)
        values = [round(draw.gauss(20, 3), 3) for _ in range(170)]
        broker.publish(topic, json.dumps({"topic": topic, "at": elapsed, "values": values}).encode())


if __name__ == "__main__":
    asyncio.run(main())
