"""A search whose index is made anew in the background every nine seconds, and put in the old one's place."""

import random
import threading
import time

from traffic.shape import seed
from traffic.web import serve

WORDS = "red blue small large winter garden kitchen steel wooden light heavy old new fast quiet round".split()


class Index:
    """Postings by word pair."""

    def __init__(self):
        self.postings = {}

    def add(self, number, words):
        for one, other in zip(words, words[1:]):
            self.postings.setdefault(f"{one} {other}", []).append((number, f"{one}-{number}"))

    def find(self, query):
        return self.postings.get(query, [])[:20]


class Current:
    index = Index()


def build(draw):
    """All documents, with a pause now and then, so that requests are answered meanwhile."""
    index = Index()
    for number in range(5200):
        index.add(number, draw.choices(WORDS, k=11))
        if number % 100 == 0:
            time.sleep(0.05)
    Current.index = index


def refresh():
    draw = random.Random(seed())
    while True:
        began = time.monotonic()
        build(draw)
        time.sleep(max(0.5, 9.0 - (time.monotonic() - began)))


def handle(request):
    if request.path == "/search":
        return {"found": Current.index.find(request.query["q"])}
    if request.path == "/orders":
        return {"related": [len(Current.index.find(line["note"][:12])) for line in request.json()["lines"]]}
    return {"item": request.path} if request.path.startswith("/items/") else None


if __name__ == "__main__":
    threading.Thread(target=refresh, daemon=True).start()
    serve(handle)
