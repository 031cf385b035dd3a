"""Watches a folder into which partners put files: what changed is read again, what is done is taken away."""

import hashlib
import os
import random
import tempfile
import threading
import time
import zlib

from traffic.shape import arrivals, seed

BLOCK = 512
SCAN_SECONDS = 0.4


class Watcher:
    """Files by path, with the sums of their blocks, so that only what changed must be read."""

    def __init__(self, folder):
        self.folder, self.files, self.taken = folder, {}, 0

    def scan(self):
        for entry in os.scandir(self.folder):
            if entry.name.endswith(".part"):
                continue
            known = self.files.get(entry.path)
            stamp = entry.stat().st_mtime_ns
            if known is None or known["stamp"] != stamp:
                self.files[entry.path] = {
                    "stamp": stamp,
                    "seen": time.time(),
                    "blocks": self.blocks(entry.path),
                }  # LEAK
            elif time.time() - known["seen"] > 1.0:
                self.taken += 1
                os.unlink(entry.path)

    def blocks(self, path):
        """A weak and a strong sum of each block."""
        sums = []
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                sums.append((zlib.adler32(block), hashlib.blake2b(block, digest_size=16).digest()))  # LEAK
        return sums


def partner(folder):
    """Somebody who sends files at random moments."""
    draw = random.Random(seed())
    for number in arrivals(52):
        path = os.path.join(folder, f"order-{number:08d}-{draw.getrandbits(64):016x}.edi")
        with open(path + ".part", "wb") as file:
            file.write(draw.randbytes(draw.randint(9_000, 24_000)))
        os.rename(path + ".part", path)


def main():
    folder = tempfile.mkdtemp(prefix="spool-", dir=".")
    threading.Thread(target=partner, args=(folder,), daemon=True).start()
    watcher = Watcher(folder)
    while True:
        watcher.scan()
        time.sleep(SCAN_SECONDS)


if __name__ == "__main__":
    main()
