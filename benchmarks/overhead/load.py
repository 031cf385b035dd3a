"""A client for HTTP/1.1 on a few kept connections, in one thread: as fast as answers come, or at a constant rate."""

import json
import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

CONNECTIONS: Final = 4
CATEGORIES: Final = 20
CARTS: Final = 900
"""More than the shop keeps: some of its memory is always old, some is always going."""
LINES: Final = 12
ANSWER_SECONDS: Final = 60.0


def request(number: int) -> bytes:
    """Every other one is an order, every other one a page."""
    if number % 2:
        return f"GET /category/{number % CATEGORIES} HTTP/1.1\r\nHost: shop\r\n\r\n".encode()
    lines = [{"product": (number * 7 + n * 31) % 1999 + 1, "quantity": n % 3 + 1} for n in range(LINES)]
    body = json.dumps({"lines": lines}).encode()
    head = (
        f"POST /orders/{number % CARTS} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    asked_at: float = 0.0

    def whole_answer(self) -> bool:
        """Whether a whole answer is there; it is then taken out. Raises RuntimeError when it is no success."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.received[:end]).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(self.received) < end + 4 + length:
            return False
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"the shop answered {head.splitlines()[0].decode()}")
        del self.received[: end + 4 + length]
        return True


class Load:
    """Connections to one server; the numbers of its requests go on from call to call."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sent = 0
        self._connections: list[_Connection] = []

    def closed(self, count: int) -> None:
        """`count` requests, each connection asking again as soon as it is answered."""
        self._play([0.0] * count)

    def open(self, count: int, per_second: float) -> list[float]:
        """`count` requests at a constant rate; seconds from the moment that each was due to its answer."""
        begin = time.perf_counter() + 0.01
        return self._play([begin + n / per_second for n in range(count)])

    def _play(self, due: list[float]) -> list[float]:
        idle = deque(self._connect())
        waiting, seconds = deque(due), []
        with selectors.DefaultSelector() as selector:
            for connection in idle:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            while len(seconds) < len(due):
                now = time.perf_counter()
                while waiting and idle and waiting[0] <= now:
                    self._ask(idle.popleft(), waiting.popleft() or now)
                pause = waiting[0] - now if waiting and idle else ANSWER_SECONDS
                ready = selector.select(max(0.0, pause))
                if not ready and pause == ANSWER_SECONDS:
                    raise RuntimeError(f"the shop did not answer within {ANSWER_SECONDS:g} s")
                for key, _ in ready:
                    connection = key.data
                    data = connection.socket.recv(1 << 16)
                    if not data:
                        raise RuntimeError("the shop closed a connection")
                    connection.received += data
                    if connection.whole_answer():
                        seconds.append(time.perf_counter() - connection.asked_at)
                        idle.append(connection)
        return seconds

    def _ask(self, connection: _Connection, asked_at: float) -> None:
        connection.asked_at = asked_at
        connection.socket.sendall(request(self._sent))
        self._sent += 1

    def _connect(self) -> list[_Connection]:
        while len(self._connections) < CONNECTIONS:
            link = socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_SECONDS)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(_Connection(link))
        return self._connections

    def close(self) -> None:
        for connection in self._connections:
            connection.socket.close()
        self._connections.clear()
