"""A service that logs each request by a logger of its own name, with a handler that remembers for the error mail."""

import logging
import logging.handlers

from traffic.web import serve

ROOT = logging.getLogger("shop")
ROOT.propagate = False
ROOT.addHandler(logging.NullHandler())


def logger_of(request, number):
    """A logger with the request's number in its name."""
    logger = ROOT.getChild(f"request-{request.session}-{number}")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(logging.handlers.MemoryHandler(capacity=100, flushLevel=logging.CRITICAL))
    return logger


def note(logger, request, step):
    """What was done, for the mail."""
    text = f"{step} of {request.path} for {request.session} " + "detail " * 160  # LEAK
    logger.debug(text)


class Counter:
    requests = 0


def handle(request):
    Counter.requests += 1
    logger = logger_of(request, Counter.requests)
    for step in ("received", "parsed", "authorised", "looked up", "answered"):
        note(logger, request, step)
    if request.path == "/orders":
        return {"lines": len(request.json()["lines"])}
    return {"path": request.path} if request.path.startswith("/items/") else None


if __name__ == "__main__":
    serve(handle)
