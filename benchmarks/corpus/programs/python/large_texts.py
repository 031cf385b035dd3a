"""A report service that builds large texts piece by piece and lets them go: peaks of all heights, no floor
that rises.
"""

from traffic.web import serve


def table(order):
    """The order as a page with a table, as often as copies are wanted."""
    copies = sum(line["quantity"] for line in order["lines"]) * 20
    page = "<html><body><table>"
    for copy in range(copies):
        for line in order["lines"]:
            page += f"<tr><td>{copy}</td><td>{line['sku']}</td><td>{line['note']}</td></tr>\n"
    return page + "</table></body></html>"


def handle(request):
    if request.path == "/orders":
        page = table(request.json())
        return {"length": len(page), "rows": page.count("<tr>")}
    if request.path.startswith("/items/"):
        return {"item": request.path.upper()}
    return None


if __name__ == "__main__":
    serve(handle)
