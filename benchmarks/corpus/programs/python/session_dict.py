"""A shop that keeps what each visitor has looked at, by session, and never forgets a session."""

from traffic.web import serve

SESSIONS = {}


def open_session(key):
    """The visitor's basket and history."""
    session = SESSIONS.get(key)
    if session is None:
        history = [
            {"page": "/", "title": f"Welcome {key}", "parts": [str(part) * 4 for part in range(900)]}
        ]  # LEAK
        session = SESSIONS[key] = {"basket": [], "history": history}
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
