"""Menus of restaurants, on FastAPI: pages are remembered by functools, and the last orders are shown to the cook."""

from collections import deque
from functools import lru_cache

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from traffic.web import port

PAGES = 120
SHOWN = 400
LAST = deque(maxlen=SHOWN)
app = FastAPI()


class Dish(BaseModel):
    name: str
    cents: int
    contains: list[str]


class Line(BaseModel):
    sku: int
    quantity: int
    note: str


class Order(BaseModel):
    user: str
    lines: list[Line]
    address: dict


@lru_cache(maxsize=PAGES)
def menu(restaurant):
    return [
        Dish(
            name=f"dish {dish} of restaurant {restaurant}",
            cents=(restaurant * 37 + dish * 111) % 4000,
            contains=["milk", "egg", "nuts"][: dish % 4],
        )
        for dish in range(24)
    ]


@app.get("/items/{restaurant}", response_model=list[Dish])
async def restaurant(restaurant: int):
    return menu(restaurant)[:8]


@app.get("/search")
async def search(q: str, page: int):
    found = [dish for dish in menu(page) if dish.cents % 7 < len(q)]
    return {"found": len(found)}


@app.post("/orders")
async def order(order: Order):
    LAST.append(order)
    return {"place": len(LAST), "dishes": sum(line.quantity for line in order.lines)}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=port(), log_level="error")
