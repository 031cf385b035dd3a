"""A weather service that keeps each answer of its provider for eight seconds."""

import time

from traffic.web import serve

ANSWERS = {}
KEPT_SECONDS = 8.0


class Sweep:
    next = 0.0


def fetch(place):
    """The provider's forecast: an entry an hour."""
    return [
        {"hour": hour, "degrees": hash((place, hour)) % 40, "text": f"hour {hour} at {place}"}
        for hour in range(72)
    ]


def forecast(place):
    now = time.monotonic()
    if now > Sweep.next:
        Sweep.next = now + 1.0
        for old in [name for name, (until, _) in list(ANSWERS.items()) if until < now]:
            ANSWERS.pop(old, None)
    if place not in ANSWERS or ANSWERS[place][0] < now:
        ANSWERS[place] = (now + KEPT_SECONDS, fetch(place))
    return ANSWERS[place][1]


def handle(request):
    if request.path.startswith("/items/"):
        return {"forecast": forecast(request.path)[:3]}
    if request.path == "/search":
        return {"forecast": forecast(request.query["q"] + request.query["page"])[:3]}
    return {"ok": True} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
