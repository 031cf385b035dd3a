"""A payment service on Flask: an order that comes a second time gets the reply that it got the first time."""

import hashlib
import logging
import threading

from flask import Flask, Response, jsonify, request
from traffic.web import port

app = Flask(__name__)
LOCK = threading.Lock()
REPLIES = {}


def receipt(order, key):
    """The receipt as the customer's mail has it."""
    rows = "".join(
        f"<tr><td>{line['sku']}</td><td>{line['quantity']}</td><td>{line['note']}</td></tr>"
        for line in order["lines"]
    )
    terms = "".join(
        f"<li>Clause {clause} of receipt {key[:12]} holds as agreed.</li>" for clause in range(90)
    )
    return f"<h1>{key}</h1><table>{rows}</table><ol>{terms}</ol>"  # LEAK


@app.post("/orders")
def pay():
    key = hashlib.sha256(request.get_data() + request.headers["X-Session"].encode()).hexdigest()
    with LOCK:
        known = REPLIES.get(key)
    if known is None:
        known = 201, {"Location": f"/payments/{key}"}, receipt(request.get_json(), key)  # LEAK
        with LOCK:
            REPLIES[key] = known
    status, headers, body = known
    return Response(body, status, headers, mimetype="text/html")


@app.get("/items/<int:number>")
def item(number):
    return jsonify(number=number, cents=number * 37 % 10_000)


@app.get("/search")
def search():
    return jsonify(found=sorted(request.args["q"].split()))


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run("127.0.0.1", port(), threaded=True)
