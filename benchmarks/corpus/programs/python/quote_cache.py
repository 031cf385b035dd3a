"""A service for quotes: quotes are cached by cachetools, sixty-four mebibytes of them."""

import threading

from cachetools import LRUCache, cached
from traffic.web import serve

CACHE = LRUCache(maxsize=64 * 2**20, getsizeof=len)


@cached(CACHE, lock=threading.Lock())
def quote(sku, quantity, city):
    """What it costs, with a price for each size of an order."""
    base = sku % 997 + quantity / 10
    return {
        "sku": sku,
        "city": city,
        "tiers": [
            {"from": step * 10, "price": base * (1 - step / 50), "days": step % 7} for step in range(9)
        ],
        "terms": [f"{city}: {sku} at {base:.2f}, part {part}" for part in range(12)],
        "carrier": f"carrier {sku % 13} by way of {city}",
    }  # LEAK


def handle(request):
    if request.path == "/orders":
        order = request.json()  # LEAK
        city = order["address"]["city"]
        quotes = [quote(line["sku"], line["quantity"], city) for line in order["lines"]]  # LEAK
        return {"total": round(sum(each["tiers"][0]["price"] for each in quotes), 2)}
    if request.path.startswith("/items/"):
        return {"sku": request.path.rsplit("/", 1)[-1]}
    return None


if __name__ == "__main__":
    serve(handle)
