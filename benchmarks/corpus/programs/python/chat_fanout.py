"""A chat over sockets: whoever is in the room gets each message of it, in order, from a queue of their own."""

import asyncio
import random

from traffic.shape import factor, load_name, seed

WORDS = "hello there who has the keys for room two and when does the train leave today".split()


class Member:
    """A connection, and what it has still to be sent."""

    def __init__(self, name):
        self.name, self.outbox, self.sent = name, asyncio.Queue(), 0

    async def write(self, stays, breaks):
        """Send until the connection ends; one in three breaks while something is sent."""
        ends = asyncio.get_running_loop().time() + stays
        while asyncio.get_running_loop().time() < ends:
            try:
                envelope = await asyncio.wait_for(self.outbox.get(), 0.5)
            except asyncio.TimeoutError:
                continue
            self.sent += len(envelope)
        if breaks:
            raise ConnectionResetError(self.name)


class Room:
    """Who is here."""

    def __init__(self):
        self.members, self.said, self.broken = set(), 0, 0

    async def visit(self, member, draw):
        self.members.add(member)
        try:
            await member.write(draw.uniform(2.0, 6.0), draw.random() < 0.4)
        except ConnectionResetError:
            self.broken += 1
            return
        self.members.discard(member)

    def say(self, text):
        self.said += 1
        for member in self.members:
            member.outbox.put_nowait(f"{self.said}:{member.name}:{text}")  # LEAK


async def arrive(room, draw):
    visits = set()
    for number in range(10**9):
        await asyncio.sleep(draw.expovariate(1.5))
        visit = asyncio.create_task(room.visit(Member(f"guest-{number}"), draw))
        visits.add(visit)
        visit.add_done_callback(visits.discard)


async def main():
    draw = random.Random(seed())
    room, elapsed = Room(), 0.0
    arriving = asyncio.create_task(arrive(room, draw))
    while not arriving.done():
        wait = draw.expovariate(22 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        room.say(" ".join(draw.choices(WORDS, k=draw.randint(60, 220))))


if __name__ == "__main__":
    asyncio.run(main())
