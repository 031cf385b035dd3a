"""A recommender that keeps each prediction of its model; the key holds the visitor's features, so few come twice."""

import math

from traffic.web import serve

WEIGHTS = [[math.sin(row * 31 + column) for column in range(24)] for row in range(120)]
PREDICTIONS = {}


def features(request):
    """What the model knows of a request."""
    words = request.query.get("q", request.session) + request.path
    return tuple(ord(letter) % 17 / 17 for letter in words.ljust(24)[:24])


def infer(vector):
    """The model: one layer, then the scores of all articles."""
    return [math.tanh(sum(weight * x for weight, x in zip(row, vector))) for row in WEIGHTS]  # LEAK


def predict(request):
    key = (request.session, features(request))
    if key not in PREDICTIONS:
        scores = infer(key[1])
        ranked = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
        PREDICTIONS[key] = {"scores": scores, "ranked": ranked, "explained": explain(scores)}
    return PREDICTIONS[key]


def explain(scores):
    """Why each article was chosen, for the support team."""
    return [
        f"article {number} scored {score:.12f} because of the visitor's history"
        for number, score in enumerate(scores)
    ]  # LEAK


def handle(request):
    if request.path.startswith("/items/") or request.path == "/search":
        return {"recommended": predict(request)["ranked"][:5]}
    return {"ok": True} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
