"""A shop that sends a confirmation for each order; the mail server takes fewer than come in, and the queue
has no bound.
"""

import json
import queue
import threading
import time

from traffic.web import serve

OUTBOX = queue.Queue()


def confirmation(order):
    """The mail's text, with one paragraph a line."""
    paragraphs = [
        f"{line['quantity']} × article {line['sku']}: {line['note']}\n"
        + "We thank you for your order. " * 150
        for line in order["lines"]
    ]
    return "\n\n".join(paragraphs)  # LEAK


def deliver():
    """Give mails to the server, which takes eight a second."""
    while True:
        mail = OUTBOX.get()
        json.dumps({"to": "customer", "body": mail})
        time.sleep(0.12)


def handle(request):
    if request.path == "/orders":
        order = request.json()
        OUTBOX.put(confirmation(order))
        return {"accepted": len(order["lines"])}
    if request.path.startswith("/items/"):
        return {"item": request.path, "waiting": OUTBOX.qsize() > 0}
    return None


if __name__ == "__main__":
    threading.Thread(target=deliver, daemon=True).start()
    serve(handle)
