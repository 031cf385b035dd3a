"""A store of keys over TCP, as a cache for others: twenty-four megabytes, then what was used long ago goes."""

import asyncio
import random
import time

from traffic.shape import factor, load_name, seed

MOST_BYTES = 24_000_000
SAMPLES = 5
OVERHEAD = 200


class Store:
    """Values with the moment of their last use; of five drawn keys the one that is oldest goes."""

    def __init__(self, draw):
        self.draw, self.values, self.keys, self.size, self.evicted = draw, {}, [], 0, 0

    def get(self, key):
        found = self.values.get(key)
        if found is None:
            return None
        found[1] = time.monotonic()
        return found[2]

    def put(self, key, value):
        found = self.values.get(key)
        if found is None:
            self.values[key] = [len(self.keys), time.monotonic(), value]
            self.keys.append(key)
            self.size += len(value) + OVERHEAD
        else:
            self.size += len(value) - len(found[2])
            found[1:] = time.monotonic(), value
        while self.size > MOST_BYTES:
            drawn = [self.keys[self.draw.randrange(len(self.keys))] for _ in range(SAMPLES)]
            self.remove(min(drawn, key=lambda each: self.values[each][1]))
            self.evicted += 1

    def remove(self, key):
        place, _, value = self.values.pop(key)
        self.size -= len(value) + OVERHEAD
        last = self.keys.pop()
        if last != key:
            self.keys[place] = last
            self.values[last][0] = place


class Door:
    """Connections of those who use it."""

    def __init__(self, store):
        self.store = store

    async def accept(self, reader, writer):
        while line := await reader.readline():
            command, key, *size = line.decode().split()
            if command == "SET":
                self.store.put(key, await reader.readexactly(int(size[0])))
                writer.write(b"+OK\n")
            else:
                value = self.store.get(key)
                writer.write(b"$-1\n" if value is None else b"$%d\n%s" % (len(value), value))
            await writer.drain()
        writer.close()


async def service(port, draw):
    """Somebody who uses it: asks first, and sets what isn't there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    elapsed = 0.0
    while not writer.is_closing():
        wait = draw.expovariate(60 * factor(load_name(), elapsed, draw))
        elapsed += wait
        await asyncio.sleep(wait)
        key = f"page:{int(draw.paretovariate(0.15)) % 60_000}"
        writer.write(f"GET {key}\n".encode())
        size = int((await reader.readline())[1:])
        if size >= 0:
            await reader.readexactly(size)
            continue
        value = draw.randbytes(int(draw.lognormvariate(8.2, 0.9)) + 40)
        writer.write(f"SET {key} {len(value)}\n".encode() + value)
        await reader.readline()


async def main():
    draw = random.Random(seed())
    door = await asyncio.start_server(Door(Store(draw)).accept, "127.0.0.1", 0)
    port = door.sockets[0].getsockname()[1]
    await asyncio.gather(*(service(port, random.Random(seed() + number)) for number in range(3)))


if __name__ == "__main__":
    asyncio.run(main())
