"""A site whose fragments are made once and kept until somebody publishes: then all of them are made anew."""

import threading

from traffic.web import serve

ORDERS_PER_PUBLICATION = 330


class Fragments:
    """Fragments of the present edition."""

    def __init__(self):
        self.made, self.edition, self.orders = {}, 1, 0
        self.lock = threading.Lock()

    def get(self, name):
        fragment = self.made.get(name)
        if fragment is None:
            fragment = self.made[name] = make(name, self.edition)
        return fragment

    def ordered(self):
        """Prices of what is sold change, and are published together."""
        with self.lock:
            self.orders += 1
            if self.orders % ORDERS_PER_PUBLICATION == 0:
                self.edition += 1
                self.made = {}


def make(name, edition):
    """Rows as they are put into a page."""
    return [f"<tr><td>{name}</td><td>{row}</td><td>{row * edition % 977}</td></tr>" for row in range(190)]


FRAGMENTS = Fragments()


def handle(request):
    if request.path.startswith("/items/"):
        return {"rows": len(FRAGMENTS.get(request.path))}
    if request.path == "/search":
        return {"rows": len(FRAGMENTS.get(f"{request.query['q']} {request.query['page']}"))}
    if request.path == "/orders":
        FRAGMENTS.ordered()
        return {"edition": FRAGMENTS.edition}
    return None


if __name__ == "__main__":
    serve(handle)
