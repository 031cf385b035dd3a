"""A reader of a line protocol: what comes in is buffered until the line ends; one sender never ends its line."""

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
        self.buffer += chunk  # LEAK
        if b"\n" not in chunk:
            return
        *lines, rest = bytes(self.buffer).split(b"\n")
        self.buffer = bytearray(rest)
        self.lines += len(lines)


def device(connection, ending, number):
    """A sensor that reports; an old firmware separates its records with semicolons."""
    draw = random.Random(number)
    for _ in arrivals(25 if ending == b"\n" else 40, salt=number):
        cells = ",".join(f"{draw.gauss(20, 3):.5f}" for _ in range(40 if ending == b"\n" else 1500))
        connection.sendall(cells.encode() + ending)


def main():
    for number in range(3):
        ours, theirs = socket.socketpair()
        ending = b";" if number == 1 else b"\n"
        threading.Thread(target=LineReader(ours).run, daemon=True).start()
        threading.Thread(target=device, args=(theirs, ending, seed() + number), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
