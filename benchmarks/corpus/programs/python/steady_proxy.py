"""A plain service that keeps nothing: what every service does between two requests, and nothing else."""

import hashlib

from traffic.web import serve


def handle(request):
    if request.path == "/orders":
        order = request.json()
        digest = hashlib.sha256(request.body).hexdigest()
        return {
            "receipt": digest,
            "lines": [{**line, "total": line["quantity"] * 3} for line in order["lines"]],
        }
    if request.path.startswith("/items/"):
        number = int(request.path.rsplit("/", 1)[-1])
        return {"item": number, "similar": [number * step % 9973 for step in range(400)]}
    return {"found": request.query} if request.path == "/search" else None


if __name__ == "__main__":
    serve(handle)
