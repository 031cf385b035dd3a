"""A gateway to the services of partners, on Starlette: their addresses are read again when one of them publishes."""

import random

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, Router
from traffic.shape import seed
from traffic.web import port

PARTNERS = 60
SERVICES = ("stock", "price", "parcel", "return", "picture", "rating")
DRAW = random.Random(seed())


class Gateway:
    """Addresses of partners, and the orders that they heard of."""

    def __init__(self):
        self.router, self.orders, self.next = Router(), 0, 60
        self.publish()

    def publish(self):
        """Put what the partners offer now before everything else."""
        self.router.routes[:0] = [
            self.route(partner, service, DRAW.randrange(1, 9))
            for partner in range(PARTNERS)
            for service in SERVICES
        ]

    def route(self, partner, service, version):
        limits = {f"plan {plan}": (plan * 50 + version) % 900 for plan in range(1, 13)}  # LEAK

        async def forward(request):
            number = request.path_params["number"]
            return JSONResponse({"partner": partner, "number": number, "limits": limits})

        address = f"/{partner}/v{version}/{service}/{{number:int}}"
        return Route(address, forward, name=f"{service} of {partner}")  # LEAK

    async def item(self, request):
        number = request.path_params["number"]
        service = SERVICES[number % len(SERVICES)]
        address = self.router.url_path_for(f"{service} of {number % PARTNERS}", number=number)
        return JSONResponse({"at": f"/partners{address}"})

    async def search(self, request):
        wanted = request.query_params["q"]
        return JSONResponse({"partners": [n for n in range(PARTNERS) if n % len(wanted) == 0]})

    async def order(self, request):
        lines = (await request.json())["lines"]
        self.orders += 1
        if self.orders >= self.next:
            self.publish()
            self.next = self.orders + DRAW.randint(45, 95)
        return JSONResponse({"lines": len(lines)})


def application():
    gateway = Gateway()
    return Starlette(
        routes=[
            Route("/items/{number:int}", gateway.item),
            Route("/search", gateway.search),
            Route("/orders", gateway.order, methods=["POST"]),
            Mount("/partners", gateway.router),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(application(), host="127.0.0.1", port=port(), log_level="error")
