"""A shop on Flask: a page from a template, and an order that comes and goes as JSON."""

import other_profiler
import shop
from flask import Flask, jsonify, request

other_profiler.start()
app = Flask(__name__)


@app.get("/category/<int:number>")
def category(number: int) -> str:
    return shop.page(number)


@app.post("/orders/<cart>")
def order(cart: str):
    return jsonify(shop.order(cart, request.get_json()["lines"]))
