"""A shop that keeps what each visitor has looked at, by session; sessions end some seconds after the last request."""

import threading
import time

from traffic.web import serve

SESSIONS = {}
LOCK = threading.Lock()
IDLE_SECONDS = 6.0


def open_session(key):
    """The visitor's basket and history; now and then the old ones are swept out."""
    now = time.monotonic()
    with LOCK:
        if len(SESSIONS) % 20 == 0:
            for old in [name for name, session in SESSIONS.items() if now - session["used"] > IDLE_SECONDS]:
                del SESSIONS[old]
        session = SESSIONS.get(key)
        if session is None:
            history = [
                {"page": "/", "title": f"Welcome {key}", "parts": [str(part) * 4 for part in range(900)]}
            ]
            session = SESSIONS[key] = {"basket": [], "history": history}
        session["used"] = now
    return session


def item(request):
    session = open_session(request.session)
    number = request.path.rsplit("/", 1)[-1]
    session["last"] = number
    related = [f"/items/{(int(number) * step) % 5000}" for step in range(2, 30)]
    return {"item": number, "related": related, "seen": len(session["history"])}


def order(request):
    session = open_session(request.session)
    lines = request.json()["lines"]
    session["basket"] = [line["sku"] for line in lines]
    return {"lines": len(lines), "total": sum(line["quantity"] for line in lines)}


def handle(request):
    if request.path.startswith("/items/"):
        return item(request)
    if request.path == "/orders":
        return order(request)
    if request.path == "/search":
        return {"found": sorted(request.query.get("q", "").split())}
    return None


if __name__ == "__main__":
    serve(handle)
