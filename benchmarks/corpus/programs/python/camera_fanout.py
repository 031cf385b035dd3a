"""A hub for door cameras with ZeroMQ: every picture goes to the wall, to the alarms and to the archive."""

import random
import threading
import time

import zmq
from traffic.shape import arrivals, seed

CAMERAS = 24
# Seconds of work per picture, and how many may wait.
WATCHERS = {"wall": (0.002, 200), "alarm": (0.006, 200), "archive": (0.042, 0)}


class Watcher(threading.Thread):
    """Takes pictures and does its work on each."""

    def __init__(self, context, address, work, waiting):
        super().__init__(daemon=True)
        self.socket = context.socket(zmq.SUB)
        self.socket.rcvhwm = waiting
        self.socket.subscribe(b"")
        self.socket.connect(address)
        self.work, self.seen, self.bytes = work, 0, 0

    def run(self):
        while True:
            _, picture = self.socket.recv_multipart()
            self.seen += 1
            self.bytes += len(picture)
            time.sleep(self.work)


def picture(camera, draw):
    """What a camera sent: more bytes where something moves."""
    moving = draw.random() < 0.2
    return draw.randbytes(draw.randint(9_000, 15_000) if moving else 7_000 + 40 * camera)


def main():
    draw, context = random.Random(seed()), zmq.Context()
    hub = context.socket(zmq.PUB)
    hub.sndhwm = 200
    port = hub.bind_to_random_port("tcp://127.0.0.1")
    watchers = [
        Watcher(context, f"tcp://127.0.0.1:{port}", work, waiting) for work, waiting in WATCHERS.values()
    ]
    for watcher in watchers:
        watcher.start()
    time.sleep(0.5)
    for _ in arrivals(48):
        camera = draw.randrange(CAMERAS)
        hub.send_multipart([b"camera %d" % camera, picture(camera, draw)])


if __name__ == "__main__":
    main()
