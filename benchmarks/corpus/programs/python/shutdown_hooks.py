"""A service that promises to finish each order's report at shutdown; the promise holds the order for ever."""

from traffic.web import serve

AT_SHUTDOWN = []


def at_shutdown(function):
    AT_SHUTDOWN.append(function)


def accept(order):
    """Take an order; its report is written when the service ends."""
    lines = [
        {**line, "price": line["sku"] % 97, "history": [line["note"]] * 10} for line in order["lines"]
    ]  # LEAK
    pages = [f"{line['sku']:>8} {line['quantity']:>4} {line['note']:<60}" * 40 for line in lines]  # LEAK

    def write_report():
        return {"user": order["user"], "pages": len(pages), "sum": sum(line["price"] for line in lines)}

    at_shutdown(write_report)
    return write_report()


def handle(request):
    if request.path == "/orders":
        return accept(request.json())
    if request.path.startswith("/items/"):
        return {"item": request.path, "reports": len(AT_SHUTDOWN) > 0}
    return None


if __name__ == "__main__":
    serve(handle)
