"""The counter of a workshop, on Flask: parts are looked up and taken out of the stock, which SQLite keeps."""

import logging
import random
import sqlite3
import threading

from flask import Flask, abort, jsonify, request
from traffic.shape import seed
from traffic.web import port

PARTS = 6000
app = Flask(__name__)
LOCK = threading.Lock()
DATABASE = sqlite3.connect(":memory:", check_same_thread=False)


def fill():
    draw = random.Random(seed())
    words = (
        "red blue small large winter garden kitchen steel wooden light heavy old new fast quiet round".split()
    )
    DATABASE.execute("create table part (number integer primary key, name text, stock integer)")
    DATABASE.executemany(
        "insert into part values (?, ?, ?)",
        [(number, " ".join(draw.choices(words, k=4)), draw.randrange(500)) for number in range(PARTS)],
    )
    DATABASE.execute("create index by_name on part (name)")


def rows(question, *values):
    with LOCK:
        return DATABASE.execute(question, values).fetchall()


@app.get("/items/<int:number>")
def part(number):
    found = rows("select name, stock from part where number = ?", number % PARTS)
    return jsonify(name=found[0][0], stock=found[0][1]) if found else abort(404)


@app.get("/search")
def search():
    word = request.args["q"].split()[0]
    return jsonify(
        found=rows("select number, name, stock from part where name like ? limit 200", f"%{word}%")
    )


@app.post("/orders")
def take():
    lines = request.get_json()["lines"]
    with LOCK:
        for line in lines:
            values = line["quantity"], line["sku"] % PARTS
            DATABASE.execute("update part set stock = (stock + 500 - ?) % 500 where number = ?", values)
    return jsonify(taken=len(lines))


if __name__ == "__main__":
    fill()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run("127.0.0.1", port(), threaded=True)
