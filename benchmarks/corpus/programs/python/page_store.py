"""A site that keeps pages it has made, up to twelve megabytes of them, and drops what was not asked for longest."""

import threading
from collections import OrderedDict

from traffic.web import serve

MOST_BYTES = 12_000_000


class Store:
    """Pages by address; what counts is how large they are."""

    def __init__(self):
        self.pages, self.size, self.lock = OrderedDict(), 0, threading.Lock()

    def get(self, address):
        with self.lock:
            if address in self.pages:
                self.pages.move_to_end(address)
                return self.pages[address]
        page = render(address)
        with self.lock:
            if address not in self.pages:
                self.pages[address] = page
                self.size += len(page)
            while self.size > MOST_BYTES:
                self.size -= len(self.pages.popitem(last=False)[1])
        return page


def render(address):
    """Between five and seventy kilobytes, depending on what it shows."""
    number = sum(address.encode()) * 7919 % 601
    return "".join(f"<p>{address} {line:06}</p>" for line in range(160 + number * 4))


STORE = Store()


def handle(request):
    if request.path.startswith("/items/"):
        return {"length": len(STORE.get(request.path))}
    if request.path == "/search":
        return {"length": len(STORE.get(f"{request.query['q']}?{request.query['page']}"))}
    return {"ordered": len(request.body)} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
