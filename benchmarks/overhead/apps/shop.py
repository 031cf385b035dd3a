"""What both web services sell: a small SQLite database, a template, and a bounded store of carts."""

import sqlite3
import threading
from collections import OrderedDict

from jinja2 import Environment

PAGE = """<!doctype html><title>{{ title }}</title><h1>{{ title }}</h1>
<table>{% for row in rows %}<tr><td>{{ row.name }}</td><td>{{ row.category|upper }}</td>
<td>{{ "%.2f"|format(row.price) }}</td><td>{% if row.stock %}{{ row.stock }} left{% else %}sold out{% endif %}</td></tr>
{% endfor %}</table>"""
CARTS = 500

template = Environment(autoescape=True).from_string(PAGE)
carts: OrderedDict[str, dict] = OrderedDict()
databases = threading.local()


def connection() -> sqlite3.Connection:
    """Each thread has a database of its own."""
    if not hasattr(databases, "connection"):
        databases.connection = made = sqlite3.connect(":memory:")
        made.row_factory = sqlite3.Row
        made.execute("create table product (id integer primary key, name, category, price, stock)")
        rows = [(n, f"product {n}", f"category {n % 20}", n * 1.7 % 90, n % 7) for n in range(1, 2001)]
        made.executemany("insert into product values (?, ?, ?, ?, ?)", rows)
    return databases.connection


def products(category: int) -> list[dict]:
    query = "select * from product where category = ? order by price limit 40"
    return [dict(row) for row in connection().execute(query, (f"category {category}",))]


def page(category: int) -> str:
    return template.render(title=f"Category {category}", rows=products(category))


def order(cart: str, lines: list[dict]) -> dict:
    """Price an order and keep it; the oldest cart goes."""
    priced = []
    for line in lines:
        row = connection().execute("select * from product where id = ?", (line["product"],)).fetchone()
        priced.append({**dict(row), "quantity": line["quantity"], "sum": row["price"] * line["quantity"]})
    answer = {"cart": cart, "lines": priced, "total": round(sum(line["sum"] for line in priced), 2)}
    carts.pop(cart, None)
    carts[cart] = answer
    while len(carts) > CARTS:
        carts.popitem(last=False)
    return answer
