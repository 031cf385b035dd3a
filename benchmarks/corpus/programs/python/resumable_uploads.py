"""Uploads that can be resumed: pieces come as telephones send them, and wait for the rest for an hour at most."""

import hashlib
import heapq
import random
import threading
import time

from traffic.shape import arrivals, seed

PIECE = 48_000
KEEP_SECONDS = 60.0
SWEEP_SECONDS = 2.0


class Uploads:
    """What has come of each upload, by its address."""

    def __init__(self):
        self.parts, self.lock, self.stored, self.given_up = {}, threading.Lock(), 0, 0

    def add(self, address, size, piece):
        """Put a piece to what is there; returns how much that is."""
        with self.lock:
            part = self.parts.get(address)
            if part is None:
                part = self.parts[address] = {"content": bytearray(), "size": size}
            part["content"] += piece
            part["at"] = time.monotonic()
            if len(part["content"]) >= size:
                self.store(self.parts.pop(address))
        return len(part["content"])

    def store(self, part):
        part["digest"] = hashlib.sha256(part["content"]).hexdigest()
        self.stored += 1

    def sweep(self):
        while True:
            time.sleep(SWEEP_SECONDS)
            before = time.monotonic() - KEEP_SECONDS
            with self.lock:
                for address in [each for each, part in self.parts.items() if part["at"] < before]:
                    del self.parts[address]
                    self.given_up += 1


def picture(draw):
    """How large it is, and after how much the telephone gives up: most don't."""
    size = min(int(draw.lognormvariate(11.6, 0.7)), 2_500_000)
    return size, size if draw.random() < 0.7 else int(size * draw.random())


def main():
    draw, uploads, sending = random.Random(seed()), Uploads(), []
    threading.Thread(target=uploads.sweep, daemon=True).start()
    for number in arrivals(60):
        now = time.monotonic()
        if number % 5 == 0:
            size, sent = picture(draw)
            heapq.heappush(sending, (now, number, f"/uploads/{draw.getrandbits(96):024x}", size, sent))
        while sending and sending[0][0] <= now:
            _, started, address, size, sent = heapq.heappop(sending)
            there = uploads.add(address, size, draw.randbytes(min(PIECE, size)))
            if there < sent:
                heapq.heappush(sending, (now + draw.uniform(0.1, 1.8), started, address, size, sent))


if __name__ == "__main__":
    main()
