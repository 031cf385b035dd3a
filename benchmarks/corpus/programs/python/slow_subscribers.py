"""A newsletter service under good load: one order in three leaves an entry behind, about a
seventh of a megabyte a second.
"""

import json
import re

from traffic.web import serve

BOUNCED = []
ADDRESS = re.compile(r"[a-z0-9.]+@[a-z0-9.]+")


class Counter:
    handled = 0


def remember_bounce(session, letter):
    """An address that couldn't be reached, with the letter."""
    BOUNCED.append({"session": session, "letter": [line.title() for line in letter.splitlines()]})  # LEAK


def compose(order):
    """The letter's text; many lines, all gone after it was sent."""
    lines = [f"{line['sku']:>9} × {line['quantity']} {line['note']}" for line in order["lines"]]
    return "\n".join(lines * 60)


def handle(request):
    Counter.handled += 1
    if request.path == "/orders":
        letter = compose(request.json())
        addresses = ADDRESS.findall(letter)
        if Counter.handled % 3 == 0:
            remember_bounce(request.session, letter)
        return {"length": len(json.dumps(letter)), "addresses": addresses}
    if request.path.startswith("/items/"):
        return {"item": [str(number) * 3 for number in range(200)]}
    return None


if __name__ == "__main__":
    serve(handle)
