"""A service that counts requests and times by page and status, with labels from lists that are known beforehand."""

import time

from traffic.web import serve

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SHELVES = 250


class Histogram:
    """Counts by bucket, for one combination of labels."""

    def __init__(self, labels):
        self.labels = labels
        self.buckets = {f"le={bound}": [0, 0.0, f"{labels} {bound}"] for bound in BOUNDS}

    def observe(self, seconds):
        for bound in BOUNDS:
            if seconds <= bound:
                self.buckets[f"le={bound}"][0] += 1


class Registry:
    """All histograms by labels."""

    def __init__(self):
        self.histograms = {}

    def histogram(self, **labels):
        key = tuple(sorted(labels.items()))
        if key not in self.histograms:
            self.histograms[key] = Histogram(key)
        return self.histograms[key]


METRICS = Registry()


def handle(request):
    began = time.perf_counter()
    answer = {"path": request.path, "words": sorted(request.query.get("q", "").split())}
    sum(ord(letter) for letter in request.session * 50)
    took = time.perf_counter() - began
    page = request.path.split("/")[1]
    page = page if page in ("items", "orders", "search") else "other"
    shelf = hash(request.path) % SHELVES
    METRICS.histogram(page=page, method=request.method, shelf=shelf).observe(took)
    METRICS.histogram(page=page, visitor=hash(request.session) % SHELVES).observe(took)
    return answer


if __name__ == "__main__":
    serve(handle)
