"""A store near the builders for layers of images: what isn't here is fetched, packed with zstandard and kept."""

import random
from collections import OrderedDict

import zstandard
from traffic.shape import arrivals, seed

MOST, LEAST = 44_000_000, 36_000_000
LAYERS = 700


class Store:
    """Packed layers by digest; what was asked for last is at the end."""

    def __init__(self):
        self.layers, self.size, self.hits, self.fetched = OrderedDict(), 0, 0, 0
        self.packer, self.unpacker = zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor()

    def layer(self, digest):
        packed = self.layers.get(digest)
        if packed is not None:
            self.hits += 1
            self.layers.move_to_end(digest)
            return self.unpacker.decompress(packed)
        content = fetch(digest)
        self.fetched += 1
        packed = self.layers[digest] = self.packer.compress(content)
        self.size += len(packed)
        if self.size > MOST:
            self.clear_out()
        return content

    def clear_out(self):
        while self.size > LEAST:
            _, packed = self.layers.popitem(last=False)
            self.size -= len(packed)


def fetch(digest):
    """A layer as the far registry gives it; some parts of it repeat."""
    draw = random.Random(digest)
    blocks = [draw.randbytes(4096) for _ in range(min(int(draw.paretovariate(1.2) * 12), 160))]
    return b"".join(draw.choice(blocks) if draw.random() < 0.4 else block for block in blocks)


def main():
    draw, store, served, newest = random.Random(seed()), Store(), 0, 0
    for _ in arrivals(12):
        if draw.random() < 0.25:
            newest += 1
            digest = f"sha256:new{newest}"
        else:
            digest = f"sha256:{int(draw.paretovariate(0.35)) % LAYERS}"
        served += len(store.layer(digest))


if __name__ == "__main__":
    main()
