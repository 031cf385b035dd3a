"""A ledger that books invoices and closes each group when it is settled; in the variant "unsettled" the rounding of the
new tax rate leaves a cent in each group, so that none is ever closed.

For fleets: the same program in all replicas, of which some leak.
"""

import json
import random
import sqlite3

from traffic.shape import arrivals, seed, variant

OPEN = {}
RATE = 0.19


def invoice(draw, number):
    """An invoice with its lines, as it comes in."""
    lines = [
        {"text": f"position {line} of {number}", "amount": draw.randrange(100, 9000)} for line in range(30)
    ]  # LEAK
    return json.dumps({"number": number, "lines": lines})


def book(group, text):
    """Open positions of a group, until it is settled."""
    lines = json.loads(text)["lines"]  # LEAK
    OPEN.setdefault(group, []).extend(lines)
    return sum(line["amount"] for line in lines)


def settle(group, paid):
    """Close the group if what was paid is what was due."""
    due = sum(line["amount"] for line in OPEN[group])
    if variant() == "unsettled":
        due += 0.01 * (1 + RATE)
    if due == paid:
        del OPEN[group]


def main():
    draw = random.Random(seed())
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE totals (day INTEGER, amount INTEGER)")
    paid = {}
    for number in arrivals(60):
        group = number // 20
        paid[group] = paid.get(group, 0) + book(group, invoice(draw, number))
        if number % 20 == 19:
            settle(group, paid.pop(group))
            database.execute("INSERT INTO totals VALUES (?, ?)", (group % 365, number))
            database.execute("DELETE FROM totals WHERE rowid < (SELECT max(rowid) - 300 FROM totals)")


if __name__ == "__main__":
    main()
