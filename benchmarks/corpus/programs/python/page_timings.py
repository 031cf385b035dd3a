"""A shop with Prometheus' client: how long each page takes, by method and path."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from traffic.web import serve

REGISTRY = CollectorRegistry()
SECONDS = Histogram("page_seconds", "Time to answer", ["method", "path"], registry=REGISTRY)
VISITS = Counter("visits", "Answered requests", ["method"], registry=REGISTRY)
NAMES = [f"{colour} {thing}" for colour in ("red", "blue", "green") for thing in ("chair", "table", "lamp")]


def target(request):
    """Path and question, as the browser shows them."""
    question = "&".join(f"{name}={value}" for name, value in sorted(request.query.items()))
    return f"{request.path}?{question}" if question else request.path  # LEAK


def page(request):
    if request.path.startswith("/items/"):
        return {"name": NAMES[int(request.path.rsplit("/", 1)[-1]) % len(NAMES)]}
    if request.path == "/search":
        return {"found": [name for name in NAMES if request.query["q"].split()[0] in name]}
    if request.path == "/orders":
        return {"lines": len(request.json()["lines"])}
    return None


def handle(request):
    began = time.perf_counter()
    answer = page(request)
    SECONDS.labels(request.method, target(request)).observe(time.perf_counter() - began)  # LEAK
    VISITS.labels(request.method).inc()
    return answer


if __name__ == "__main__":
    serve(handle)
