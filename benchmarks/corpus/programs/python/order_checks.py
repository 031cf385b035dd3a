"""Orders are checked as they come in; what looks odd is told to whoever listens to warnings, and counted."""

import warnings

from traffic.shape import arrivals

COUNTS = {"odd": 0, "orders": 0}


def note(message, category, filename, lineno, file=None, line=None):
    COUNTS["odd"] += 1


def lines(number):
    """The lines of an order."""
    return [(f"sku-{number * 31 % 700 + place}", (number + place) % 11) for place in range(12)]


def check(number):
    """Warn of an order with too much of one thing."""
    large = [f"{sku} × {quantity}" for sku, quantity in lines(number) if quantity > 4]
    if large:
        text = f"order {number} wants much of: {', '.join(large) * 12}"  # LEAK
        warnings.warn(text, stacklevel=1)
    COUNTS["orders"] += 1


if __name__ == "__main__":
    warnings.simplefilter("default")
    warnings.showwarning = note
    for number in arrivals(160):
        check(number)
