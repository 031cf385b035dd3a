"""A service with twenty-six models: each is read when it is first asked for, and few of them are asked for often."""

import random
import threading

import numpy as np
from traffic.web import serve

INPUTS = 300
WORDS = "red blue small large winter garden kitchen steel wooden light heavy old new fast quiet round".split()


class Model:
    """Two layers."""

    def __init__(self, number):
        generator = np.random.default_rng(number)
        width = 400 + number * 37 % 500
        self.first = generator.standard_normal((INPUTS, width), dtype=np.float32)
        self.second = generator.standard_normal((width, 12), dtype=np.float32)

    def predict(self, values):
        return (np.maximum(values @ self.first, 0) @ self.second).argmax()


class Shelf:
    """Models that were read so far."""

    def __init__(self, count):
        self.models, self.lock = [None] * count, threading.Lock()

    def model(self, number):
        with self.lock:
            if self.models[number] is None:
                self.models[number] = Model(number)
            return self.models[number]


SHELF = Shelf(26)
DRAW = random.Random(4)


def handle(request):
    if request.path == "/orders":
        values = np.zeros(INPUTS, dtype=np.float32)
        lines = request.json()["lines"]
        for line in lines:
            values[line["sku"] % INPUTS] += line["quantity"]
        kind = min(int(DRAW.paretovariate(1.1)) - 1, 25)
        return {"class": int(SHELF.model(kind).predict(values)), "model": kind}
    if request.path == "/search":
        return {"words": [word for word in WORDS if word in request.query["q"]]}
    return {"item": request.path} if request.path.startswith("/items/") else None


if __name__ == "__main__":
    serve(handle)
