"""A forum that keeps the state of visitors who are online; there are more of them by day than by night."""

import time

from traffic.web import serve

ONLINE = {}
AWAY_SECONDS = 3.0


def visit(request):
    """The visitor's state, made when they come."""
    now = time.monotonic()
    state = ONLINE.pop(request.session, None)
    if state is None:
        state = {"threads": [f"thread {number} read by {request.session}" for number in range(1500)]}
    state["seen"] = now
    ONLINE[request.session] = state
    for session, other in list(ONLINE.items())[:5]:  # the longest away come first
        if now - other["seen"] > AWAY_SECONDS:
            ONLINE.pop(session, None)
    return state


def handle(request):
    if request.path.startswith("/items/") or request.path in ("/orders", "/search"):
        return {"unread": len(visit(request)["threads"]) % 17, "online": len(ONLINE)}
    return None


if __name__ == "__main__":
    serve(handle)
