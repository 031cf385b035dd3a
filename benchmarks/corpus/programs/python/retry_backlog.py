"""A webhook sender: what a receiver refuses is tried again later, without an end; some receivers are gone for good."""

import heapq
import json
import random
import time

from traffic.shape import arrivals, seed


class Sender:
    """Deliveries that are due, in the order of their time."""

    def __init__(self, draw):
        self.draw = draw
        self.due = []
        self.gone = {f"receiver-{number}" for number in range(0, 40, 5)}

    def event(self, number):
        """Something happened: tell a receiver."""
        receiver = f"receiver-{self.draw.randrange(40)}"
        rows = [{"id": number, "value": self.draw.random()} for _ in range(260)]
        payload = json.dumps({"receiver": receiver, "rows": rows}).encode()  # LEAK
        heapq.heappush(self.due, (time.monotonic(), number, receiver, payload))

    def deliver(self):
        for _ in range(40):
            if not self.due or self.due[0][0] > time.monotonic():
                return
            _, number, receiver, payload = heapq.heappop(self.due)
            if receiver in self.gone:
                heapq.heappush(self.due, (time.monotonic() + 3, number, receiver, payload))


def main():
    sender = Sender(random.Random(seed()))
    for number in arrivals(90):
        sender.event(number)
        sender.deliver()


if __name__ == "__main__":
    main()
