"""Records video calls: packets of all calls are gathered and written each 20 s; a stream is put in order first."""

import random
import time
import zlib
from collections import deque

from traffic.shape import arrivals, seed

CALLS = 30
WINDOW = 64
SEGMENT_SECONDS = 20.0


class Stream:
    """One source's newest packets: to put late ones in order, and to fill gaps."""

    def __init__(self, source):
        self.source, self.window, self.late = source, deque(maxlen=WINDOW), 0  # LEAK

    def take(self, sequence, payload):
        if self.window and sequence < self.window[-1][0]:
            self.late += 1
        self.window.append((sequence, payload))  # LEAK


class Recorder:
    """Streams by source, the source that a call has, and what is to be written."""

    def __init__(self):
        self.streams, self.source_of, self.segment, self.began = {}, {}, [], time.monotonic()

    def take(self, call, source, sequence, payload):
        stream = self.streams.get(source)
        if stream is None:
            stream = self.streams[source] = Stream(source)  # LEAK
            self.source_of[call] = source
        stream.take(sequence, payload)
        self.segment.append((call, payload))
        if time.monotonic() - self.began > SEGMENT_SECONDS:
            self.write()

    def write(self):
        checks = {}
        for call, payload in self.segment:
            checks[call] = zlib.crc32(payload, checks.get(call, 0))
        self.segment, self.began = [], time.monotonic()

    def hang_up(self, call):
        self.streams.pop(self.source_of.pop(call, None), None)


class Call:
    """A call as the network carries it; after each hold it has a new source."""

    def __init__(self, number, draw):
        self.number, self.sequence, self.source = number, 0, draw.getrandbits(32)
        self.left = draw.randint(200, 900)

    def packet(self, draw):
        self.sequence, self.left = self.sequence + 1, self.left - 1
        if draw.random() < 1 / 120:
            self.source = draw.getrandbits(32)
        return self.source, self.sequence, draw.randbytes(draw.randint(700, 1300))  # LEAK


def main():
    draw, recorder = random.Random(seed()), Recorder()
    calls = [Call(number, draw) for number in range(CALLS)]
    for number in arrivals(420):
        place = draw.randrange(CALLS)
        call = calls[place]
        recorder.take(call.number, *call.packet(draw))
        if not call.left:
            recorder.hang_up(call.number)
            calls[place] = Call(CALLS + number, draw)


if __name__ == "__main__":
    main()
