"""Rooms to talk in, over websockets with Tornado: a room shows its last forty texts, and goes when it is empty.

While the evening's match is on, more people come.
"""

import asyncio
import json
import random
from collections import deque

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect
from traffic.shape import factor, load_name, seed

ROOMS = 60
SHOWN = 40
MATCH = (80.0, 125.0)
WORDS = "well I think that we should meet at noon near the old bridge if the weather is good enough for it".split()


class Room:
    """Who is in it, and what was said."""

    def __init__(self):
        self.members, self.texts = set(), deque(maxlen=SHOWN)

    def say(self, name, text):
        self.texts.append({"name": name, "text": text, "words": text.split()})
        line = json.dumps({"name": name, "text": text})
        for member in self.members:
            member.write_message(line)


class Member(WebSocketHandler):
    """The server's end of a connection."""

    rooms = {}

    def open(self, number):
        self.number = number
        self.room = self.rooms.setdefault(number, Room())
        self.room.members.add(self)
        for text in self.room.texts:
            self.write_message(json.dumps(text))

    def on_message(self, text):
        self.room.say(f"guest {id(self) % 1000}", text)

    def on_close(self):
        self.room.members.discard(self)
        if not self.room.members:
            self.rooms.pop(self.number, None)


async def guest(port, draw):
    """Comes, talks now and then, and goes."""
    number = min(int(draw.paretovariate(0.6)), ROOMS)
    connection = await websocket_connect(
        f"ws://127.0.0.1:{port}/rooms/{number}", on_message_callback=lambda _: None
    )
    try:
        for _ in range(draw.randint(1, 6)):
            await asyncio.sleep(draw.uniform(0.5, 4.0))
            await connection.write_message(" ".join(draw.choices(WORDS, k=draw.randint(5, 120))))
    except WebSocketClosedError:
        pass
    connection.close()


async def main():
    draw, guests, elapsed = random.Random(seed()), set(), 0.0
    listening, port = bind_unused_port()
    server = HTTPServer(Application([(r"/rooms/(\d+)", Member)]))
    server.add_socket(listening)
    while elapsed >= 0:
        per_second = 12 if MATCH[0] < elapsed < MATCH[1] else 4
        wait = draw.expovariate(per_second * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        coming = asyncio.create_task(guest(port, draw))
        guests.add(coming)
        coming.add_done_callback(guests.discard)


if __name__ == "__main__":
    asyncio.run(main())
