"""A converter of uploads; one that can't be read is put into the error report in whole, as text, for support to see."""

import json
import random
import traceback
import zlib

from traffic.shape import arrivals, seed

REPORTS = []


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
    text = f"could not read {content!r}"  # LEAK
    REPORTS.append({"text": text, "where": traceback.format_exception_only(type(error), error)})


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
