"""A tax service that remembers results by what they depend on; four hundred keys in all, and a calculator per order."""

from functools import lru_cache

from traffic.web import serve

RATES = {country: 0.15 + country % 12 / 100 for country in range(200)}


@lru_cache(maxsize=512)
def rate(country, shelf):
    """The rate of a country for a shelf."""
    return [RATES[country] * (1 + step * (shelf + 1) / 1000) for step in range(1800)]


class Calculator:
    """What one order costs; made for each order."""

    def __init__(self, order):
        self.lines = [(line["sku"], line["quantity"], line["note"]) for line in order["lines"]]

    def total(self, country):
        sums = [
            quantity * (sku % 90 + 1) * (1 + rate(country, sku % 200)[quantity])
            for sku, quantity, _ in self.lines
        ]
        return round(sum(sums), 2)


def handle(request):
    if request.path == "/orders":
        calculator = Calculator(request.json())
        return {"total": calculator.total(7), "abroad": calculator.total(43)}
    if request.path.startswith("/items/"):
        return {"rate": RATES[int(request.path.rsplit("/", 1)[-1]) % 200]}
    return None


if __name__ == "__main__":
    serve(handle)
