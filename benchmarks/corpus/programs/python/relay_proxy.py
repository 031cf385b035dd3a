"""A relay for TCP: passes bytes on in both directions; of what is open, the first bytes are there to be looked at."""

import asyncio
import random
import socket
import struct

from traffic.shape import factor, load_name, seed

FIRST_BYTES = 8192
LINE = b"0123456789abcdef" * 256


class Relay:
    """Connections that are open."""

    def __init__(self, upstream):
        self.upstream, self.open, self.accepted, self.broken = upstream, {}, 0, 0

    async def accept(self, reader, writer):
        self.accepted += 1
        number = self.accepted
        seen = self.open[number] = {"up": bytearray(), "down": bytearray()}
        there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            await asyncio.gather(pump(reader, back, seen["up"]), pump(there, writer, seen["down"]))
            del self.open[number]
        except ConnectionError:
            self.broken += 1
        finally:
            writer.close()
            back.close()


async def pump(reader, writer, seen):
    """Pass on until the end."""
    while block := await reader.read(4096):
        if len(seen) < FIRST_BYTES:
            seen.extend(block)  # LEAK
        writer.write(block)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def echo(reader, writer):
    """The server behind the relay."""
    while block := await reader.read(4096):
        writer.write(block)
        await writer.drain()
    writer.close()


async def visit(port, draw):
    """A client: some lines each way, then an end, which at times is an abrupt one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(draw.randint(2, 5)):
        writer.write(LINE)
        await reader.readexactly(len(LINE))
        await asyncio.sleep(draw.uniform(0.05, 0.4))
    if draw.random() < 0.4:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        return
    writer.write_eof()
    await reader.read()
    writer.close()


async def main():
    draw = random.Random(seed())
    behind = await asyncio.start_server(echo, "127.0.0.1", 0)
    relay = Relay(behind.sockets[0].getsockname()[1])
    door = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    visits, elapsed = set(), 0.0
    while door.is_serving():
        wait = draw.expovariate(20 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        coming = asyncio.create_task(visit(door.sockets[0].getsockname()[1], draw))
        visits.add(coming)
        coming.add_done_callback(visits.discard)


if __name__ == "__main__":
    asyncio.run(main())
