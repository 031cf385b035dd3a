"""A chat relay that writes everything down in a text buffer per room, for moderation; rooms are never closed."""

import io

from traffic.web import serve

ROOMS = {}


def room(number):
    if number not in ROOMS:
        ROOMS[number] = io.StringIO()
    return ROOMS[number]


def say(number, who, text):
    """One line in a room."""
    buffer = room(number)
    buffer.write(f"{who}: {text}\n" + f"  delivered to everybody in room {number}\n" * 90)  # LEAK
    return buffer.tell()


def handle(request):
    if request.path == "/orders":
        order = request.json()
        for line in order["lines"]:
            length = say(line["sku"] % 60, order["user"], line["note"])
        return {"length": length}
    if request.path.startswith("/items/"):
        return {"room": int(request.path.rsplit("/", 1)[-1]) % 60, "open": len(ROOMS)}
    return None


if __name__ == "__main__":
    serve(handle)
