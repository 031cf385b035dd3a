"""A shop with tracing: each request is a span with attributes and events; finished ones are exported in batches."""

import itertools
import threading
import time

from traffic.web import serve


class Tracer:
    """Spans that are going on, and those that wait for their export."""

    def __init__(self):
        self.open, self.finished, self.exported = {}, [], 0
        self.numbers, self.lock = itertools.count(1), threading.Lock()

    def begin(self, request):
        number = next(self.numbers)
        span = {
            "number": number,
            "name": f"{request.method} {request.path}",
            "began": time.time(),
            "attributes": {f"http.{name.lower()}": value for name, value in request.headers.items()},
            "events": [],
        }  # LEAK
        self.open[number] = span
        return span

    def event(self, span, name, **values):
        span["events"].append({"name": name, "when": time.time(), **values})  # LEAK

    def finish(self, span):
        with self.lock:
            self.finished.append(self.open.pop(span["number"]))
            if len(self.finished) >= 100:
                self.exported += len(self.finished)
                self.finished.clear()


TRACER = Tracer()
WORDS = "red blue small large winter garden kitchen steel wooden light heavy old new fast quiet round".split()
CATALOGUE = [f"{one} {other} {step}" for one in WORDS for other in WORDS for step in range(2)]


def search(span, query, page):
    """Ten articles of a page; there are few pages."""
    words = query.split()
    hits = [title for title in CATALOGUE if any(word in title for word in words)]
    for title in hits[:60]:
        TRACER.event(span, "scored", title=title, score=len(title) / 7.0)  # LEAK
    return hits[page * 10 : page * 10 + 10]


def handle(request):
    span = TRACER.begin(request)
    if request.path == "/search":
        found = search(span, request.query["q"], int(request.query["page"]))
        if not found:
            return {"found": [], "hint": "try another word"}
        result = {"found": found}
    elif request.path == "/orders":
        lines = request.json()["lines"]
        TRACER.event(span, "priced", lines=len(lines))
        result = {"total": sum(line["quantity"] for line in lines)}
    else:
        result = {"item": request.path} if request.path.startswith("/items/") else None
    TRACER.finish(span)
    return result


if __name__ == "__main__":
    serve(handle)
