"""A tax service whose calculator remembers its results; the cache is on a method, so it keeps every calculator too."""

from functools import lru_cache

from traffic.web import serve

RATES = {country: 0.15 + country % 12 / 100 for country in range(200)}


class Calculator:
    """What one order costs; made for each order."""

    def __init__(self, order):
        self.lines = [(line["sku"], line["quantity"], line["note"]) for line in order["lines"]]
        self.table = [
            RATES[sku % 200] * (1 + step / 1000) for sku, _, _ in self.lines for step in range(180)
        ]  # LEAK

    @lru_cache(maxsize=None)
    def total(self, country):
        net = sum(quantity * (sku % 90 + 1) for sku, quantity, _ in self.lines)
        return round(net * (1 + self.table[country % len(self.table)]), 2)


def handle(request):
    if request.path == "/orders":
        calculator = Calculator(request.json())
        return {"total": calculator.total(7), "abroad": calculator.total(43)}
    if request.path.startswith("/items/"):
        return {"rate": RATES[int(request.path.rsplit("/", 1)[-1]) % 200]}
    return None


if __name__ == "__main__":
    serve(handle)
