"""Visitors: a steady stream of requests to one shop, each from an advertisement with a click id of its own."""

import http.client
import threading
import time
from random import Random
from typing import Final

REQUESTS_PER_SECOND: Final = 20
POPULAR_PRODUCTS: Final = 150
_TIMEOUT_SECONDS: Final = 5.0


class Visitors(threading.Thread):
    """Asks until `leave` is called; `answered` counts the pages that were delivered."""

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True, name=f"visitors-{port}")
        self.answered = 0
        self._port = port
        self._random = Random(seed)  # noqa: S311 - visitors, not secrets
        self._over = threading.Event()

    def leave(self) -> None:
        self._over.set()
        self.join(_TIMEOUT_SECONDS)

    def run(self) -> None:
        connection = self._connect()
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / REQUESTS_PER_SECOND, time.monotonic() - 1)
            try:
                connection.request("GET", self._address())
                if connection.getresponse().read():
                    self.answered += 1
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = self._connect()
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)

    def _address(self) -> str:
        product = self._random.randrange(POPULAR_PRODUCTS)
        return f"/product/{product}?campaign=autumn&click={self._random.getrandbits(64):016x}"
