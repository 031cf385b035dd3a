"""A gallery that renders thumbnails and keeps the last 1500 of them; visitors ask at random, so it fills
ever slower.
"""

from functools import lru_cache

from traffic.web import serve


@lru_cache(maxsize=1500)
def thumbnail(number, size):
    """Render what is worth keeping."""
    rows = []
    for row in range(size):
        rows.append(bytes((number * row + column) % 251 for column in range(size)))
    return rows


def handle(request):
    if request.path.startswith("/items/"):
        number = int(request.path.rsplit("/", 1)[-1]) % 4000
        rows = thumbnail(number, 110)
        return {"item": number, "bytes": sum(len(row) for row in rows), "sum": rows[3][7]}
    if request.path == "/orders":
        return {
            "thumbnails": [
                sum(thumbnail(hash(line["note"]) % 4000, 110)[0]) for line in request.json()["lines"]
            ]
        }
    return {"path": request.path} if request.path == "/search" else None


if __name__ == "__main__":
    serve(handle)
