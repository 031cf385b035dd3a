"""A router that reads a new configuration in the middle of the run; the new one has four times as many routes."""

import time

from traffic.web import serve

STARTED = time.monotonic()


def routes(count):
    """Routes with what is known of them."""
    return {
        f"/items/{number}": {"backend": number % 7, "tags": [f"tag {number} {tag}" for tag in range(6)]}
        for number in range(count)
    }


class Current:
    count = 5_000
    table = routes(5_000)


def table():
    """The routes; read again after twenty-five seconds."""
    if Current.count == 5_000 and time.monotonic() - STARTED > 25:
        Current.count = 20_000
        Current.table = routes(20_000)
    return Current.table


def handle(request):
    route = table().get(request.path)
    if route is None and not request.path.startswith(("/items", "/orders", "/search")):
        return None
    return {"route": route, "known": Current.count}


if __name__ == "__main__":
    serve(handle)
