"""A monitor of TLS endpoints: greets each, and goes on when its answer comes; some never answer."""

import random
import ssl
import time
from collections import deque

from traffic.shape import arrivals, seed


class Monitor:
    """Conversations by endpoint and moment."""

    def __init__(self):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.waiting = {}

    def greet(self, name):
        """Send the first words; returns the conversation's key."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        talk = self.context.wrap_bio(incoming, outgoing, server_hostname=name)
        try:
            talk.do_handshake()
        except ssl.SSLWantReadError:
            outgoing.read()
        key = name, time.monotonic()
        self.waiting[key] = talk, incoming
        return key

    def answered(self, key):
        del self.waiting[key]


def main():
    draw = random.Random(seed())
    monitor, answers = Monitor(), deque()
    for _ in arrivals(30):
        key = monitor.greet(f"node{draw.randrange(4000)}.example")
        if draw.random() < 0.6:
            answers.append(key)
        if len(answers) > 40:
            monitor.answered(answers.popleft())


if __name__ == "__main__":
    main()
