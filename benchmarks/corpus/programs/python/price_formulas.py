"""A calculator of prices: each line's formula is compiled when it is first seen, and evaluated."""

from traffic.web import serve

RATES = {
    word: float(number + 1)
    for number, word in enumerate(
        "red blue small large winter garden kitchen steel wooden light heavy old new fast quiet round".split()
    )
}
PREPARED = {}


def formula(line):
    """What the line costs, as text that an operator can read."""
    words = line["note"].split()
    terms = [
        f"({word} + {place + step}) * {line['quantity']} / {line['sku'] % 997 + step}"
        for step in (1, 2, 3)
        for place, word in enumerate(words)
    ]
    return " + ".join(terms)  # LEAK


def prepared(text):
    if text not in PREPARED:
        PREPARED[text] = compile(text, f"<formula {len(PREPARED)}>", "eval")  # LEAK
    return PREPARED[text]


def price(line):
    text = formula(line)
    return eval(prepared(text), {"__builtins__": {}}, RATES)


def handle(request):
    if request.path == "/orders":
        return {"total": round(sum(price(line) for line in request.json()["lines"]), 2)}
    if request.path.startswith("/items/"):
        return {"price": int(request.path.rsplit("/", 1)[-1]) % 90 / 4}
    return None


if __name__ == "__main__":
    serve(handle)
