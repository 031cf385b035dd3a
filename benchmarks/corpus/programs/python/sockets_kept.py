"""A broker of live tickers: subscribers connect, hang up without a word, and stay on the list with their buffers."""

import random
import socket

from traffic.shape import arrivals, seed


class Subscriber:
    """The broker's end of a connection, with what is still to be sent."""

    def __init__(self, connection):
        self.connection = connection
        self.outgoing = bytearray(48_000)  # LEAK
        self.length = 0

    def push(self, line):
        end = min(self.length + len(line), len(self.outgoing))
        self.outgoing[self.length : end] = line[: end - self.length]
        self.length = end % len(self.outgoing)


def main():
    draw = random.Random(seed())
    subscribers = []
    for number in arrivals(9):
        ours, theirs = socket.socketpair()
        theirs.sendall(b"SUBSCRIBE ticker\n")
        subscribers.append(Subscriber(ours))
        ours.recv(100)
        line = f"{number} {draw.random():.6f}\n".encode()
        for subscriber in subscribers[-200:]:
            subscriber.push(line)
        theirs.close()


if __name__ == "__main__":
    main()
