"""What parcels cost with each carrier, on Starlette; carriers join in waves, and publish new tariffs now and then."""

import random
import time

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from traffic.shape import seed
from traffic.web import port

WAVES = (0.0, 9.0, 21.0, 34.0, 46.0, 59.0, 73.0)
IN_A_WAVE = 14
ZONES, STEPS = 12, 70
DRAW = random.Random(seed())


class Carrier:
    """The tariff of one carrier: cents by zone and weight."""

    def __init__(self, number):
        self.number, self.base = number, DRAW.randint(290, 900)
        self.zones = [
            {step * 500: [self.base + zone * step, f"zone {zone}: {step * 500} g"] for step in range(STEPS)}
            for zone in range(ZONES)
        ]

    def cost(self, zone, step):
        return self.zones[zone % ZONES][step % STEPS * 500][0]


class Tariffs:
    """Carriers that have joined."""

    def __init__(self):
        self.carriers, self.began, self.orders = {}, time.monotonic(), 0

    def join(self):
        """Those whose contract has begun by now."""
        joined = IN_A_WAVE * sum(time.monotonic() - self.began > wave for wave in WAVES)
        for number in range(len(self.carriers), joined):
            self.carriers[number] = Carrier(number)

    async def item(self, request):
        self.join()
        number = request.path_params["number"]
        cheapest = min(self.carriers.values(), key=lambda each: each.cost(number, number // ZONES))
        return JSONResponse({"carrier": cheapest.number})

    async def search(self, request):
        return JSONResponse({"carriers": [number for number in self.carriers if number % 3 == 0]})

    async def order(self, request):
        lines = (await request.json())["lines"]
        self.orders += 1
        if self.orders % 9 == 0 and self.carriers:
            number = DRAW.choice(list(self.carriers))
            self.carriers[number] = Carrier(number)
        return JSONResponse({"lines": len(lines)})


if __name__ == "__main__":
    tariffs = Tariffs()
    routes = [
        Route("/items/{number:int}", tariffs.item),
        Route("/search", tariffs.search),
        Route("/orders", tariffs.order, methods=["POST"]),
    ]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port(), log_level="error")
