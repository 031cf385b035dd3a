"""A gateway that allows each visitor thirty requests in ten seconds; what is too old is purged every five seconds."""

import time
from collections import defaultdict, deque

from traffic.web import serve

REQUESTS = defaultdict(deque)
WINDOW_SECONDS, PURGE_SECONDS, ALLOWED = 10.0, 5.0, 30


class Purge:
    due = time.monotonic() + PURGE_SECONDS


def purge(now):
    """Forget visitors without a request in the window."""
    for visitor in [
        name for name, times in list(REQUESTS.items()) if not times or times[-1][0] < now - WINDOW_SECONDS
    ]:
        REQUESTS.pop(visitor, None)
    Purge.due = now + PURGE_SECONDS


def allowed(request):
    now = time.monotonic()
    if now > Purge.due:
        purge(now)
    times = REQUESTS[request.session]
    while times and times[0][0] < now - WINDOW_SECONDS:
        times.popleft()
    times.append((now, f"{request.method} {request.path} " * 400))
    return len(times) <= ALLOWED


def handle(request):
    if not allowed(request):
        return {"error": "too many requests"}
    return {"path": request.path} if not request.path.endswith(".php") else None


if __name__ == "__main__":
    serve(handle)
