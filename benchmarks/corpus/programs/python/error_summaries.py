"""A converter of uploads; of one that can't be read the report has the reason and the first bytes, fifty are kept."""

import json
import random
import zlib
from collections import deque

from traffic.shape import arrivals, seed

REPORTS = deque(maxlen=50)


def payload(draw):
    """What a client sends; some clients send what no one can read."""
    records = [{"id": draw.randrange(10**6), "name": f"name {draw.randrange(9999)}"} for _ in range(90)]
    packed = zlib.compress(json.dumps(records).encode())
    if draw.random() < 0.2:
        return packed[: draw.randrange(10, len(packed))] + bytes(draw.randrange(256) for _ in range(6000))
    return packed


def convert(content):
    return len(json.loads(zlib.decompress(content)))


def report(content, error):
    """Everything that support could ask for."""
    text = f"could not read {content!r}"
    REPORTS.append({"text": text[:200], "why": str(error)})


def main():
    draw = random.Random(seed())
    converted = 0
    for _ in arrivals(90):
        content = payload(draw)
        try:
            converted += convert(content)
        except (zlib.error, ValueError) as error:
            report(content, error)


if __name__ == "__main__":
    main()
