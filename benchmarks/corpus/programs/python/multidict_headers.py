"""A proxy that copies the headers of each request into a multidict, by names that ignore upper and lower case."""

import random

from multidict import CIMultiDict
from traffic.shape import arrivals, seed

NAMES = ["Accept", "User-Agent", "Cookie", "X-Forwarded-For", "Accept-Language", "Cache-Control"]


def received(draw):
    """Headers as a client sends them."""
    headers = CIMultiDict()
    for name in NAMES:
        headers[name] = f"{name} {draw.randrange(10**6)}"  # LEAK
    for number in range(60):
        headers[f"X-Trace-{draw.randrange(10**6)}-{number}"] = f"{draw.random():.3f}"  # LEAK
    return headers


def forwarded(headers):
    """What goes to the service behind."""
    copied = CIMultiDict()
    for name, value in headers.items():
        copied.add(name, value)
    copied["Via"] = "proxy-1"
    return copied


def main():
    draw = random.Random(seed())
    length = 0
    for _ in arrivals(110):
        length += len(forwarded(received(draw)))


if __name__ == "__main__":
    main()
