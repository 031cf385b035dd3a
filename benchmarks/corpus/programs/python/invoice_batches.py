"""Bills customers in batches: usage is gathered for eight seconds, then invoices are made of it and it is dropped."""

import random
import time
from decimal import ROUND_HALF_UP, Decimal

from traffic.shape import arrivals, seed

BATCH_SECONDS = 8.0
CUSTOMERS = 1500
CENT = Decimal("0.01")


def price(draw):
    return Decimal(draw.randrange(10**6)) / 10_000  # LEAK


def usage(number, draw):
    """A line of what somebody used."""
    return {
        "customer": draw.randrange(CUSTOMERS),
        "price": price(draw),
        "calls": [f"call {number}.{call}, {draw.randrange(900)} s" for call in range(45)],
    }


class Books:
    """Invoices that were sent, in sums; and what rounding took or gave, which auditors want to see."""

    def __init__(self):
        self.sums, self.rounded = {}, []

    def close(self, lines):
        by_customer = {}
        for line in lines:
            by_customer.setdefault(line["customer"], []).append(line)
        for customer, theirs in by_customer.items():
            self.invoice(customer, theirs)

    def invoice(self, customer, lines):
        exact = sum(line["price"] for line in lines)
        due = exact.quantize(CENT, ROUND_HALF_UP)
        self.sums[customer] = self.sums.get(customer, Decimal(0)) + due
        if due != exact:
            steps = [f"customer {customer}: {line['price']} of {exact}" for line in lines]  # LEAK
            self.rounded.append((customer, exact - due, steps, [line["price"] for line in lines]))  # LEAK


def main():
    draw = random.Random(seed())
    books, lines = Books(), []
    ends = time.monotonic() + BATCH_SECONDS
    for number in arrivals(450):
        lines.append(usage(number, draw))
        if time.monotonic() > ends:
            books.close(lines)
            lines, ends = [], time.monotonic() + BATCH_SECONDS


if __name__ == "__main__":
    main()
