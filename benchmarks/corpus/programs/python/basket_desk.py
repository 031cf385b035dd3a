"""A shop's baskets, on Flask: kept on the server for whoever comes back, longer for who is logged in."""

import logging
import threading
import time

from flask import Flask, g, jsonify, request
from traffic.web import port

GUEST_SECONDS, CUSTOMER_SECONDS = 45.0, 75.0
SWEEP_SECONDS = 3.0
app = Flask(__name__)


class Basket:
    """What somebody looked at and put in."""

    def __init__(self, name):
        self.name, self.seen, self.lines, self.used = name, [], [], 0.0
        self.keep = CUSTOMER_SECONDS if name[-1] in "0123" else GUEST_SECONDS

    def look(self, item):
        facts = {f"fact {fact}": f"{fact * item % 997} of item {item}, for {self.name}" for fact in range(60)}
        self.seen.append({"item": item, "facts": facts, "cents": item * 37 % 9000})


class Baskets:
    """Baskets by the name in the cookie."""

    def __init__(self):
        self.baskets, self.lock = {}, threading.Lock()

    def of(self, name):
        with self.lock:
            basket = self.baskets.get(name)
            if basket is None:
                basket = self.baskets[name] = Basket(name)
            basket.used = time.monotonic()
            return basket

    def sweep(self):
        while True:
            time.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            with self.lock:
                old = [name for name, basket in self.baskets.items() if basket.used + basket.keep < now]
                for name in old:
                    del self.baskets[name]


BASKETS = Baskets()


@app.before_request
def find_basket():
    g.basket = BASKETS.of(request.headers.get("X-Session", "guest"))


@app.get("/items/<int:item>")
@app.get("/search", defaults={"item": 0})
def item(item):
    if item:
        g.basket.look(item)
    return jsonify(item=item, seen=len(g.basket.seen))


@app.post("/orders")
def order():
    g.basket.lines += request.get_json()["lines"]
    return jsonify(lines=len(g.basket.lines))


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=BASKETS.sweep, daemon=True).start()
    app.run("127.0.0.1", port(), threaded=True)
