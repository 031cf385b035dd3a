"""A price list that is read again every six seconds; the old one is dropped when the new one is whole."""

import json
import random
import threading
import time

from traffic.web import serve


class Catalogue:
    """All articles by number."""

    def __init__(self, number):
        draw = random.Random(number)
        text = json.dumps(
            [{"sku": sku, "price": draw.random() * 100, "title": f"article {sku}"} for sku in range(30000)]
        )
        self.articles = {entry["sku"]: entry for entry in json.loads(text)}


class Current:
    catalogue = Catalogue(0)


def reload():
    for number in range(1, 10**6):
        time.sleep(6)
        Current.catalogue = Catalogue(number)


def handle(request):
    if request.path.startswith("/items/"):
        return Current.catalogue.articles.get(int(request.path.rsplit("/", 1)[-1]) % 30000)
    if request.path == "/orders":
        lines = request.json()["lines"]
        return {"sum": sum(Current.catalogue.articles[line["sku"] % 30000]["price"] for line in lines)}
    return None


if __name__ == "__main__":
    threading.Thread(target=reload, daemon=True).start()
    serve(handle)
