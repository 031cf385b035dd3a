"""Puts each delivery note that was signed into an archive, which goes to the store as one stream in tar's format."""

import io
import random
import tarfile
import time
import zlib

from traffic.shape import arrivals, seed

DEPOTS = 25


class Store:
    """The other side of the stream; it knows how much came and the sum of it."""

    def __init__(self):
        self.size, self.sum = 0, 0

    def write(self, block):
        self.size += len(block)
        self.sum = zlib.crc32(block, self.sum)
        return len(block)


def put(archive, number, lines, draw):
    """One member of the archive, with what a search wants to know of it as headers."""
    content = "\n".join([f"delivery {number}", *lines, f"signature {draw.getrandbits(256):x}"]).encode()
    member = tarfile.TarInfo(f"depot-{draw.randrange(DEPOTS)}/tour-{number // 40}/note-{number}.txt")  # LEAK
    member.size, member.mtime = len(content), time.time()
    member.pax_headers = {
        "NOTES.customer": f"customer {draw.randrange(100_000)} at ramp {draw.randrange(30)}",
        "NOTES.driver": f"driver {draw.randrange(300)} in car {draw.randrange(200)}",
        "NOTES.goods": ", ".join(lines),
        "NOTES.signed": f"{draw.getrandbits(128):032x}",
        "NOTES.tour": f"tour {number // 40} of depot, stop {number % 40}",
    }  # LEAK
    archive.addfile(member, io.BytesIO(content))  # LEAK


def main():
    draw = random.Random(seed())
    with tarfile.open(mode="w|", fileobj=Store(), format=tarfile.PAX_FORMAT) as archive:
        for number in arrivals(165):
            goods = draw.choices(range(9000), k=draw.randint(3, 32))
            put(archive, number, [f"{number % 17 + 1} x article {article}" for article in goods], draw)


if __name__ == "__main__":
    main()
