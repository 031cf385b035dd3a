"""A search that hands out results page by page; visitors look at the first page, and the generators wait for more."""

import sqlite3

from traffic.web import serve

CURSORS = {}
WORDS = ["red", "blue", "small", "large", "winter", "garden", "kitchen", "steel"]


def open_database():
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT)")
    rows = ((f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} thing {n}",) for n in range(4000))
    database.executemany("INSERT INTO articles (title) VALUES (?)", rows)
    return database


DATABASE = open_database()


def pages(word):
    """Results in pages of twenty."""
    found = DATABASE.execute(
        "SELECT id, title FROM articles WHERE title LIKE ? LIMIT 150", (f"%{word}%",)
    ).fetchall()
    listed = [{"id": number, "title": title, "link": f"/items/{number}"} for number, title in found]  # LEAK
    for begin in range(0, len(listed), 20):
        yield listed[begin : begin + 20]


def search(request):
    generator = pages(request.query.get("q", "red").split(" ")[0])
    key = f"{request.session}-{len(CURSORS)}"
    CURSORS[key] = generator
    return {"next": key, "results": next(generator, [])}


def handle(request):
    if request.path == "/search" or request.path.startswith("/items/"):
        return search(request)
    return {"ok": True} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
