"""A service that measures each step of a request and shows quantiles; the daily report wants the steps as well."""

import time
from collections import defaultdict

from traffic.web import serve

STEPS = defaultdict(list)


class Step:
    """Measures what is done inside of it."""

    def __init__(self, name, request):
        self.name, self.request = name, request

    def __enter__(self):
        self.began = time.perf_counter()

    def __exit__(self, *error):
        observe(self.name, time.perf_counter() - self.began, self.request)


def observe(name, seconds, request):
    at = {
        "path": f"{request.method} {request.path}",
        "session": request.session,
        "length": len(request.body),
    }  # LEAK
    STEPS[name].append({"seconds": seconds, "when": time.time(), "at": at})  # LEAK


def quantiles(name):
    """Of the last five hundred."""
    last = sorted(step["seconds"] for step in STEPS[name][-500:])
    return [last[int(len(last) * part)] for part in (0.5, 0.9, 0.99)] if last else []


def handle(request):
    with Step("route", request):
        parts = request.path.split("/")
    with Step("parse", request):
        body = request.json() if request.body else {}
    with Step("price", request):
        price = sum(line["quantity"] * line["sku"] % 90 for line in body.get("lines", []))
    if parts[1] == "search":
        return {name: quantiles(name) for name in list(STEPS)}
    return {"price": price} if parts[1] in ("items", "orders") else None


if __name__ == "__main__":
    serve(handle)
