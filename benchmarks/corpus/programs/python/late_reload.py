"""A proxy that reads its configuration again in the middle of the run; the new one turns on recording for replays."""

import random
import time

from traffic.web import serve

STARTED = time.monotonic()
REPLAYS = []


class Configuration:
    """What can be changed while running."""

    def __init__(self, record_replays):
        self.record_replays = record_replays
        self.routes = {f"/items/{number}": number % 3 for number in range(4000)}


def configuration():
    """The configuration, read again after half a minute."""
    wanted = time.monotonic() - STARTED > 28
    if Current.value is None or Current.value.record_replays != wanted:
        Current.value = Configuration(wanted)
    return Current.value


class Current:
    value = None


def record(request):
    """Everything that is needed to send it again."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    parts = [f"{name}: {value} ({hop})" for name, value in headers.items() for hop in range(20)]  # LEAK
    REPLAYS.append({"path": request.path, "headers": parts, "body": request.body})


def handle(request):
    current = configuration()
    backend = current.routes.get(request.path, random.randrange(3))
    if current.record_replays:
        record(request)
    return {"backend": backend, "length": len(request.body)}


if __name__ == "__main__":
    serve(handle)
