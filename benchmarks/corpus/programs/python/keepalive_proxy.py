"""A relay for TCP that keeps connections open for four idle seconds, and uses those to the server again."""

import asyncio
import random

from traffic.shape import factor, load_name, seed

IDLE_SECONDS = 4.0
BLOCK = b"0123456789abcdef" * 512


class Upstream:
    """Connections to the server behind, of which free ones wait to be used."""

    def __init__(self, port):
        self.port, self.free, self.opened = port, [], 0

    async def ask(self, block):
        if self.free:
            reader, writer = self.free.pop()
        else:
            self.opened += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(block)
        answer = await reader.readexactly(len(block))
        self.free.append((reader, writer))
        return answer


class Relay:
    """Connections of clients."""

    def __init__(self, upstream):
        self.upstream, self.open = upstream, {}

    async def accept(self, reader, writer):
        window = self.open[writer] = bytearray(65536)
        try:
            while True:
                block = await asyncio.wait_for(reader.readexactly(len(BLOCK)), IDLE_SECONDS)
                window[: len(block)] = block
                writer.write(await self.upstream.ask(block))
                await writer.drain()
        except (asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            del self.open[writer]
            writer.close()


async def echo(reader, writer):
    """The server behind the relay."""
    while block := await reader.read(8192):
        writer.write(block)
        await writer.drain()
    writer.close()


async def visit(port, draw):
    """A client: asks some times; one in three then leaves it to the relay to hang up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(draw.randint(2, 7)):
        writer.write(BLOCK)
        await reader.readexactly(len(BLOCK))
        await asyncio.sleep(draw.uniform(0.1, 0.8))
    if draw.random() < 0.33:
        await reader.read()
    writer.close()


async def main():
    draw = random.Random(seed())
    behind = await asyncio.start_server(echo, "127.0.0.1", 0)
    relay = Relay(Upstream(behind.sockets[0].getsockname()[1]))
    door = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    visits, elapsed = set(), 0.0
    while door.is_serving():
        wait = draw.expovariate(22 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        coming = asyncio.create_task(visit(door.sockets[0].getsockname()[1], draw))
        visits.add(coming)
        coming.add_done_callback(visits.discard)


if __name__ == "__main__":
    asyncio.run(main())
