"""Settles payments in runs: each run takes some more payments than the one before, as long as that goes well."""

import json
import random

from traffic.shape import arrivals, seed


def payment(draw, number):
    return {
        "number": number,
        "from": f"account-{draw.randrange(40_000)}",
        "to": f"account-{draw.randrange(40_000)}",
        "cents": draw.randrange(10**6),
        "steps": [f"{number}.{step}.{draw.getrandbits(24)}" for step in range(60)],
    }


def settle(payments):
    """Balances after the run."""
    balances = {}
    for each in payments:
        balances[each["from"]] = balances.get(each["from"], 0) - each["cents"]
        balances[each["to"]] = balances.get(each["to"], 0) + each["cents"]
    return len(json.dumps(balances))


def main():
    draw = random.Random(seed())
    payments, size, written = [], 900, 0
    for number in arrivals(260):
        payments.append(payment(draw, number))
        if len(payments) >= size:
            written += settle(payments)
            payments, size = [], int(size * 1.15)


if __name__ == "__main__":
    main()
