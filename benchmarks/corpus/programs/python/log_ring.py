"""A service that keeps the last six thousand lines of its log in memory for the error page."""

from collections import deque

from traffic.web import serve

LINES = deque(maxlen=6000)


def log(level, text, **fields):
    LINES.append(
        {"level": level, "text": text, "fields": {name: str(value) * 2 for name, value in fields.items()}}
    )


def handle(request):
    log(
        "info",
        f"{request.method} {request.path} for {request.session}",
        length=len(request.body),
        query=request.query,
    )
    if request.path == "/orders":
        for line in request.json()["lines"]:
            log(
                "debug",
                f"line {line['sku']} × {line['quantity']}",
                note=line["note"],
                session=request.session,
            )
        return {"ok": True}
    if request.path.startswith("/items/"):
        return {"logged": len(LINES)}
    log("warning", f"nothing at {request.path}", headers=dict(request.headers))
    return None


if __name__ == "__main__":
    serve(handle)
