"""Who is online: after a restart the clients come back one by one; each has a buffer, and room for what waits."""

import random
from collections import deque

from traffic.shape import arrivals, seed

CLIENTS = 160
WAITING = 50


class Client:
    """A connection with its buffers; some read slowly."""

    def __init__(self, number, draw):
        self.number, self.read_share = number, draw.choice([1.0, 1.0, 0.5, 0.02])
        self.window = bytearray(b"\1") * 60_000
        self.outbox = deque(maxlen=WAITING)

    def read(self, draw):
        while self.outbox and draw.random() < self.read_share:
            self.outbox.popleft()


class Hub:
    """The connections that there are now."""

    def __init__(self, draw):
        self.clients, self.draw, self.entered = {}, draw, 0

    def enter(self):
        place = self.draw.randrange(CLIENTS)
        self.entered += 1
        self.clients[place] = Client(self.entered, self.draw)

    def tell(self, text):
        for client in self.clients.values():
            client.outbox.append(f"to {client.number}: {text}")
            client.read(self.draw)


def main():
    draw = random.Random(seed())
    hub = Hub(draw)
    for number in arrivals(16):
        if number % 2 == 0:
            hub.enter()
        hub.tell(f"user-{draw.randrange(5000)} is {draw.choice(['here', 'away', 'typing'])}; " * 30)


if __name__ == "__main__":
    main()
