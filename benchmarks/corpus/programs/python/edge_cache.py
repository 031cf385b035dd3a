"""A cache before a shop: answers of two thousand addresses, the ones that were asked for last at the end."""

import threading
from collections import OrderedDict

from traffic.web import serve

ADDRESSES = 2000
LOCK = threading.Lock()


def origin(path, headers):
    """The shop's answer: what its Vary says, and the page."""
    number = sum(path.encode())
    rows = [f"<li data-n='{row}'>{path} costs {number * row % 9000} today</li>" for row in range(230)]
    return ("Accept-Encoding", "X-Session"), "\n".join(rows)  # LEAK


class Edge:
    """Answers by address, and by the values of those headers that the address depends on."""

    def __init__(self):
        self.answers, self.hits, self.misses = OrderedDict(), 0, 0

    def get(self, path, headers):
        with LOCK:
            vary, variants = self.answers.get(path, ((), {}))
            known = variants.get(tuple(headers.get(name) for name in vary))
            if known is not None:
                self.hits += 1
                self.answers.move_to_end(path)
                return known
        vary, page = origin(path, headers)
        with LOCK:
            self.misses += 1
            _, variants = self.answers.setdefault(path, (vary, {}))
            variants[tuple(headers.get(name) for name in vary)] = page
            self.answers.move_to_end(path)
            if len(self.answers) > ADDRESSES:
                self.answers.popitem(last=False)
        return page


EDGE = Edge()


def handle(request):
    if request.path.startswith("/items/"):
        return {"bytes": len(EDGE.get(request.path, request.headers))}
    if request.path == "/search":
        path = f"/search?q={request.query['q']}&page={request.query['page']}"
        return {"bytes": len(EDGE.get(path, request.headers))}
    return {"lines": len(request.json()["lines"])} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
