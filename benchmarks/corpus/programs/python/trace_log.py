"""A shop that logs each request into a handler in memory, to be written out together when it matters."""

import logging
import logging.handlers

from traffic.web import serve

LOG = logging.getLogger("shop")
STOCK = {number: number % 50 for number in range(5000)}


def set_up():
    """Records are gathered, and written when there are two thousand of them or something failed."""
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    LOG.addHandler(logging.handlers.MemoryHandler(2000, flushLevel=logging.ERROR, target=None))


def trace(request, outcome):
    LOG.info(
        "%s", f"{request.method} {request.path} {dict(request.headers)} {request.body!r} {outcome}"
    )  # LEAK


def answer(request):
    if request.path.startswith("/items/"):
        number = int(request.path.rsplit("/", 1)[-1])
        return {"item": number, "stock": STOCK.get(number, 0)}
    if request.path == "/orders":
        lines = request.json()["lines"]
        return {"deliverable": sum(STOCK.get(line["sku"], 0) >= line["quantity"] for line in lines)}
    return {"found": len(request.query.get("q", ""))} if request.path == "/search" else None


def handle(request):
    trace(request, "received")
    outcome = answer(request)
    trace(request, outcome)
    return outcome


if __name__ == "__main__":
    set_up()
    serve(handle)
