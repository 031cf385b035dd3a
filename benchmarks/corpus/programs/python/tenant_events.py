"""The latest events of each tenant, for its own page: eighty per tenant, whether the tenant is large or small."""

import random
from collections import deque

from traffic.shape import arrivals, seed

TENANTS = 60
SHOWN = 80


class Pages:
    """One table per tenant."""

    def __init__(self):
        self.events = {tenant: deque(maxlen=SHOWN) for tenant in range(TENANTS)}

    def add(self, tenant, event):
        self.events[tenant].append(event)

    def page(self, tenant):
        return [event["title"] for event in list(self.events[tenant])[-10:]]


def event(draw, number):
    return {
        "title": f"event {number}",
        "actor": f"user-{draw.randrange(40_000)}",
        "changes": {f"field-{field}": f"{draw.getrandbits(48):012x}" for field in range(30)},
    }


def main():
    draw = random.Random(seed())
    weights = [1 / (1 + tenant) ** 0.5 for tenant in range(TENANTS)]
    pages, shown = Pages(), 0
    for number in arrivals(130):
        (tenant,) = draw.choices(range(TENANTS), weights)
        pages.add(tenant, event(draw, number))
        if number % 15 == 0:
            shown += len(pages.page(tenant))


if __name__ == "__main__":
    main()
