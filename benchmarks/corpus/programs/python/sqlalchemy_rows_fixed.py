"""A report that turns the rows of a SQLAlchemy query into a numpy array, every time somebody looks at it."""

import random

import numpy as np
from sqlalchemy import Column, Float, Integer, MetaData, Table, create_engine, select
from traffic.shape import arrivals, seed

METADATA = MetaData()
SALES = Table(
    "sales",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("day", Integer),
    Column("amount", Float),
)


def open_database(draw):
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        rows = [{"day": draw.randrange(365), "amount": draw.random() * 100} for _ in range(3000)]
        connection.execute(SALES.insert(), rows)
    return engine


def matrix(engine, day):
    """The days before a day, as numbers."""
    with engine.connect() as connection:
        rows = connection.execute(select(SALES).where(SALES.c.day < day).limit(700)).fetchall()
    return np.array(rows)


def main():
    draw = random.Random(seed())
    engine = open_database(draw)
    total = 0.0
    for _ in arrivals(12):
        total += float(matrix(engine, draw.randrange(60, 365)).mean())


if __name__ == "__main__":
    main()
