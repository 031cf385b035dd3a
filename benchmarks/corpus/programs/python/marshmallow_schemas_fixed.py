"""An API that makes a marshmallow schema for each answer, with the fields that were asked for."""

import random

from marshmallow import Schema, fields
from traffic.shape import arrivals, seed

FIELDS = ["title", "price", "stock", "weight", "colour", "size", "shelf", "maker"]


def schema_for(wanted):
    """A schema class with these fields."""
    return type("AnswerSchema", (Schema,), {name: fields.String() for name in wanted})


def article(draw):
    return {name: f"{name} {draw.randrange(1000)}" for name in FIELDS}


def main():
    draw = random.Random(seed())
    answered = 0
    for _ in arrivals(60):
        schema = schema_for(draw.sample(FIELDS, 5))
        answered += len(schema().dumps(article(draw)))


if __name__ == "__main__":
    main()
