"""An archive that is mapped into memory and read all over: the page cache fills, the process's own memory doesn't."""

import mmap
import os
import random
import tempfile
import zlib

from traffic.shape import arrivals, seed

SIZE = 96 << 20


def make_archive(folder):
    """A file of blocks with their checksums."""
    path = os.path.join(folder, "archive.bin")
    draw = random.Random(3)
    with open(path, "wb") as file:
        for _ in range(SIZE >> 16):
            block = draw.randbytes(4096) * 16
            file.write(block)
    return path


def main():
    draw = random.Random(seed())
    with tempfile.TemporaryDirectory() as folder:
        path = make_archive(folder)
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as archive:
            sums = {}
            for number in arrivals(60):
                begin = (number * 40_000 + draw.randrange(1 << 18)) % (SIZE - 65536)
                sums[zlib.crc32(archive[begin : begin + 65536]) % 1000] = begin


if __name__ == "__main__":
    main()
