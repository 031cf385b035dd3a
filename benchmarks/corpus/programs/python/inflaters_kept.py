"""A message server that keeps a decompressor per client, as the protocol wants; clients leave, decompressors stay."""

import json
import random
import zlib

from traffic.shape import arrivals, seed

CLIENTS = {}


def client(number):
    """The client's decompressor."""
    if number not in CLIENTS:
        CLIENTS[number] = zlib.decompressobj()
    return CLIENTS[number]


def receive(number, message):
    return json.loads(client(number).decompress(message))


def main():
    draw = random.Random(seed())
    words = 0
    for number in arrivals(18):
        for visitor in (number, draw.randrange(1, number + 2) * 1000 + number):
            packer = zlib.compressobj(6)
            content = json.dumps([f"word{draw.randrange(500)}" for _ in range(3000)]).encode()
            words += len(receive(visitor, packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH)))


if __name__ == "__main__":
    main()
