"""Collects numbers from ten services over HTTP; all 45 s they go into a block, and two blocks are kept."""

import random
import struct
import time
import zlib
from collections import deque
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from traffic.shape import arrivals, seed

SERVICES = 10
SERIES = 200
BLOCK_SECONDS = 45.0
BLOCKS = 2


class Exporter(BaseHTTPRequestHandler):
    """A service's own numbers, as a stand-in on this machine; its pods are new each half minute."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        pod = f"{self.path[1:]}-{int(time.monotonic() // 30):x}"
        lines = [
            f'calls{{pod="{pod}",route="r{route}"}} {random.random() * 1000:.3f}' for route in range(SERIES)
        ]
        content = "\n".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *arguments):
        pass


class Head:
    """Samples since the last block, by series, and the newest blocks."""

    def __init__(self):
        self.series, self.blocks, self.began, self.samples = {}, deque(maxlen=BLOCKS), time.monotonic(), 0

    def take(self, text):
        now = time.time()
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            self.series.setdefault(name, []).append((now, float(value)))
            self.samples += 1
        if time.monotonic() - self.began > BLOCK_SECONDS:
            self.cut()

    def cut(self):
        block = {}
        while self.series:
            name, samples = self.series.popitem()
            packed = b"".join(struct.pack("<dd", *sample) for sample in samples)
            block[name] = zlib.compress(packed, 1)
        self.blocks.append(block)
        self.began = time.monotonic()


def main():
    draw, head = random.Random(seed()), Head()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    connections = [HTTPConnection("127.0.0.1", server.server_port) for _ in range(SERVICES)]
    for _ in arrivals(12):
        service = draw.randrange(SERVICES)
        connections[service].request("GET", f"/service{service}")
        head.take(connections[service].getresponse().read().decode())


if __name__ == "__main__":
    main()
