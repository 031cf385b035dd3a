"""A price service whose helper collects its findings in a default argument, which is the same list each time."""

from traffic.web import serve


def price(sku, quantity):
    return (sku * 7919 % 10_000) / 100 * quantity * (0.9 if quantity > 5 else 1.0)


def explain(order, findings=[]):
    """How the sum of an order came about."""
    for line in order["lines"]:
        amount = price(line["sku"], line["quantity"])
        findings.append(
            f"{line['note']:<80} {line['quantity']:>3} × {line['sku']:>8} = {amount:>12.2f} " * 25
        )  # LEAK
    return findings[-len(order["lines"]) :]


def handle(request):
    if request.path == "/orders":
        order = request.json()
        return {
            "explained": explain(order),
            "sum": sum(price(line["sku"], line["quantity"]) for line in order["lines"]),
        }
    if request.path.startswith("/items/"):
        return {"price": price(int(request.path.rsplit("/", 1)[-1]), 1)}
    return None


if __name__ == "__main__":
    serve(handle)
