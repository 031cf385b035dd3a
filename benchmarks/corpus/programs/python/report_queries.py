"""Reports that users put together themselves: columns and conditions as they like, made into SQL by SQLAlchemy."""

import random

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, create_engine, func, select
from traffic.shape import arrivals, seed

METADATA = MetaData()
SALES = Table(
    "sale",
    METADATA,
    Column("id", Integer, primary_key=True),
    *(Column(f"dimension_{number}", String(20)) for number in range(8)),
    *(Column(f"amount_{number}", Float) for number in range(6)),
)


def fill(engine, draw):
    rows = [
        {f"dimension_{number}": f"value {draw.randrange(5)}" for number in range(8)}
        | {f"amount_{number}": draw.random() for number in range(6)}
        for _ in range(400)
    ]
    with engine.begin() as connection:
        connection.execute(SALES.insert(), rows)


def report(draw):
    """A statement as somebody has clicked it together."""
    dimensions = draw.sample(range(8), draw.randint(1, 3))
    amounts = draw.sample(range(6), draw.randint(1, 3))
    grouped = [SALES.c[f"dimension_{number}"] for number in dimensions]
    statement = select(*grouped, *(func.sum(SALES.c[f"amount_{number}"]) for number in amounts))
    for number in draw.sample(range(8), draw.randint(0, 2)):
        statement = statement.where(SALES.c[f"dimension_{number}"] == f"value {draw.randrange(5)}")
    return statement.group_by(*grouped).order_by(grouped[0]).limit(50)


def main():
    draw = random.Random(seed())
    engine = create_engine("sqlite://", query_cache_size=300)
    METADATA.create_all(engine)
    fill(engine, draw)
    shown = 0
    for _ in arrivals(24):
        with engine.connect() as connection:
            shown += len(connection.execute(report(draw)).all())


if __name__ == "__main__":
    main()
