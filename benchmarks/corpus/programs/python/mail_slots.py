"""Packed mails of 4500 mailboxes, the newest of each: at some hours they are short, at others much is attached."""

import math
import random
import time
import zlib

from traffic.shape import arrivals, seed

MAILBOXES = 4500
DAY_SECONDS = 28.0


class Newest:
    """The newest mail by mailbox, packed."""

    def __init__(self):
        self.packed = {}

    def receive(self, mailbox, mail):
        self.packed[mailbox] = zlib.compress(mail, 1)

    def read(self, mailbox):
        return zlib.decompress(self.packed[mailbox])


def mail(draw):
    """One to five kilobytes in the middle, sixty at most."""
    hour = math.sin(2 * math.pi * time.monotonic() / DAY_SECONDS)
    length = min(int(draw.lognormvariate(7.7 + 0.8 * hour, 0.9)), 60_000)
    content = draw.getrandbits(8 * length).to_bytes(length, "big")
    return f"Subject: {draw.getrandbits(64):x}\n\n".encode() + content


def main():
    draw = random.Random(seed())
    newest, length = Newest(), 0
    for mailbox in range(MAILBOXES):
        newest.receive(mailbox, mail(draw))
    for _ in arrivals(200):
        newest.receive(draw.randrange(MAILBOXES), mail(draw))
        length += len(newest.read(draw.randrange(MAILBOXES)))


if __name__ == "__main__":
    main()
