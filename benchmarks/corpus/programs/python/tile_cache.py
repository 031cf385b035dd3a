"""A map server with a cache of four megabytes; a tile older than three seconds is drawn again when it is asked for."""

import threading
import time
from collections import OrderedDict

from traffic.web import serve

MOST_BYTES = 4_000_000
FRESH_SECONDS = 3.0


class Tiles:
    """Tiles with the time of their drawing, the ones that were drawn last at the end."""

    def __init__(self):
        self.tiles, self.size, self.lock = OrderedDict(), 0, threading.Lock()

    def get(self, key):
        with self.lock:
            found = self.tiles.get(key)
        if found is None or time.monotonic() - found[0] > FRESH_SECONDS:
            found = time.monotonic(), draw(key)
            self.put(key, found)
        return found[1]

    def put(self, key, tile):
        with self.lock:
            old = self.tiles.pop(key, None)
            if old is None:
                self.size += len(tile[1])
            else:
                self.size -= len(old[1])
            self.tiles[key] = tile
            while self.size > MOST_BYTES:
                _, (_, dropped) = self.tiles.popitem(last=False)
                self.size -= len(dropped)


def draw(key):
    """Shapes of a tile, as text."""
    number = sum(key.encode())
    return "".join(f"<path d='M{number} {line * 7 % 256} h{line}'/>" for line in range(1000))  # LEAK


TILES = Tiles()


def handle(request):
    if request.path.startswith("/items/"):
        return {"length": len(TILES.get(f"{request.path}?style={request.session[:1]}"))}
    if request.path == "/search":
        return {"length": len(TILES.get(f"place/{request.query['page']}"))}
    return {"noted": len(request.body)} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
