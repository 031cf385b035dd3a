"""Exports usage in batches each second; what couldn't be sent is sent again together with what came since."""

import random
import threading
import time

from traffic.shape import arrivals, seed

STARTED = time.monotonic()
CERTIFICATE_SECONDS = 20.0


class Receiver:
    """The other side; its certificate ends some day."""

    def __init__(self):
        self.received = 0

    def take(self, batch):
        if time.monotonic() - STARTED > CERTIFICATE_SECONDS:
            raise ConnectionError("certificate has expired")
        self.received += len(batch)


class Exporter:
    """What waits to be sent."""

    def __init__(self, receiver):
        self.receiver, self.waiting, self.lock, self.failures = receiver, [], threading.Lock(), 0

    def add(self, record):
        with self.lock:
            self.waiting.append(record)

    def flush(self):
        with self.lock:
            batch, self.waiting = self.waiting, []
        try:
            self.receiver.take(batch)
        except ConnectionError:
            self.failures += 1
            with self.lock:
                self.waiting = batch + self.waiting

    def run(self):
        while True:
            time.sleep(1.0)
            self.flush()


def record(number, draw):
    """What somebody used."""
    return {
        "number": number,
        "account": f"account-{draw.randrange(3000)}",
        "amounts": {f"meter-{meter}": draw.random() for meter in range(14)},
        "marks": [f"zone {draw.randrange(9)}, rate {rate} of {number}" for rate in range(8)],
    }  # LEAK


def main():
    draw = random.Random(seed())
    exporter = Exporter(Receiver())
    threading.Thread(target=exporter.run, daemon=True).start()
    for number in arrivals(95):
        exporter.add(record(number, draw))


if __name__ == "__main__":
    main()
