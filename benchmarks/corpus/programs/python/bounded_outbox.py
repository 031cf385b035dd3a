"""A shop that sends a confirmation for each order; when the mail server is slow, the queue fills and orders
must wait.
"""

import json
import queue
import threading
import time

from traffic.web import serve

OUTBOX = queue.Queue(maxsize=250)


def confirmation(order):
    """The mail's text, with one paragraph a line."""
    paragraphs = [
        f"{line['quantity']} × article {line['sku']}: {line['note']}\n"
        + "We thank you for your order. " * 800
        for line in order["lines"]
    ]
    return "\n\n".join(paragraphs)


def deliver():
    """Give mails to the server, which takes about eight a second."""
    while True:
        mail = OUTBOX.get()
        json.dumps({"to": "customer", "body": mail})
        time.sleep(0.12)


def handle(request):
    if request.path == "/orders":
        order = request.json()
        try:
            OUTBOX.put(confirmation(order), timeout=0.2)
        except queue.Full:
            return {"later": True}
        return {"accepted": len(order["lines"])}
    if request.path.startswith("/items/"):
        return {"item": request.path, "waiting": OUTBOX.qsize() > 0}
    return None


if __name__ == "__main__":
    threading.Thread(target=deliver, daemon=True).start()
    serve(handle)
