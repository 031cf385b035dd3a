"""A reader of a line protocol: what comes in is buffered until the line ends, and lines may be long."""

import random
import socket
import threading

from traffic.shape import arrivals, seed


class LineReader:
    """Collects bytes until a newline comes."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = bytearray()
        self.lines = 0

    def run(self):
        while chunk := self.connection.recv(65536):
            self.feed(chunk)

    def feed(self, chunk):
        """Keep what is not yet a line."""
        self.buffer += chunk
        if b"\n" not in chunk:
            return
        *lines, rest = bytes(self.buffer).split(b"\n")
        self.buffer = bytearray(rest)
        self.lines += len(lines)


def device(connection, parts, number):
    """A sensor that reports; one sends a whole day in one line."""
    draw = random.Random(number)
    for turn in arrivals(25 if parts == 1 else 40, salt=number):
        cells = ",".join(f"{draw.gauss(20, 3):.5f}" for _ in range(40 if parts == 1 else 1500))
        connection.sendall(cells.encode() + (b"\n" if turn % parts == 0 else b","))


def main():
    for number in range(3):
        ours, theirs = socket.socketpair()
        parts = 300 if number == 1 else 1
        threading.Thread(target=LineReader(ours).run, daemon=True).start()
        threading.Thread(target=device, args=(theirs, parts, seed() + number), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
