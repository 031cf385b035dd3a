"""Orders of a shop, on FastAPI; what is being answered at the moment can be looked at under /status."""

import itertools
import time

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from traffic.web import port

WAREHOUSES = 60
ANSWERING = {}
NUMBERS = itertools.count(1)
app = FastAPI()


class Line(BaseModel):
    sku: int
    quantity: int
    note: str


class Order(BaseModel):
    user: str
    lines: list[Line]


class Answering:
    """One request as the status page shows it."""

    def __init__(self, request):
        self.began, self.path, self.headers = (
            time.monotonic(),
            request.url.path,
            dict(request.headers),
        )  # LEAK
        self.offers = []


async def answering(request: Request):
    number = next(NUMBERS)
    ANSWERING[number] = Answering(request)  # LEAK
    yield ANSWERING[number]
    del ANSWERING[number]


def offers(line):
    """What each warehouse could send, and for how much."""
    return [
        (f"warehouse {house}: {line.note[:30]}", (line.sku * 37 + house * 11) % 9000 / 100)
        for house in range(WAREHOUSES)
    ]  # LEAK


@app.post("/orders")
async def order(order: Order, now: Answering = Depends(answering)):
    for line in order.lines:
        now.offers.append(offers(line))
        if line.quantity + line.sku % 5 > 10:
            raise HTTPException(409, f"not enough of {line.sku}")
    return {"cents": sum(min(cents for _, cents in each) for each in now.offers)}


@app.get("/items/{number}")
async def item(number: int, now: Answering = Depends(answering)):
    return {"number": number, "cents": number * 37 % 10_000}


@app.get("/search")
async def search(q: str, page: int, now: Answering = Depends(answering)):
    return {"found": sorted(q.split()), "page": page}


@app.get("/status")
async def status():
    return [{"path": each.path, "seconds": time.monotonic() - each.began} for each in ANSWERING.values()]


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=port(), log_level="error")
