"""A shop on FastAPI: a page from a template, and an order that comes and goes as checked JSON."""

import other_profiler
import shop
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

other_profiler.start()
app = FastAPI()


class Line(BaseModel):
    product: int
    quantity: int


class Order(BaseModel):
    lines: list[Line]


class PricedLine(BaseModel):
    id: int
    name: str
    category: str
    price: float
    stock: int
    quantity: int
    sum: float


class Priced(BaseModel):
    cart: str
    lines: list[PricedLine]
    total: float


@app.get("/category/{number}", response_class=HTMLResponse)
async def category(number: int) -> str:
    return shop.page(number)


@app.post("/orders/{cart}")
async def order(cart: str, body: Order) -> Priced:
    return Priced.model_validate(shop.order(cart, [line.model_dump() for line in body.lines]))
