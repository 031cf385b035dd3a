"""Bookings of seats through SQLAlchemy; whoever waits at a gate is told once a booking is committed."""

import random

from sqlalchemy import Integer, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from traffic.shape import arrivals, seed


class Base(DeclarativeBase):
    """Tables of this service."""


class Booking(Base):
    """A seat on a train."""

    __tablename__ = "booking"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    train: Mapped[str] = mapped_column(String(20))
    seat: Mapped[int] = mapped_column(Integer)


class Gates:
    """What gates show."""

    def __init__(self):
        self.shown = 0

    def show(self, lines):
        self.shown += len(lines)


def display(train, seat):
    """Lines for all doors of a train."""
    return [
        f"{train} door {door}: seat {seat} is taken, {seat * door % 31} are free" for door in range(70)
    ]  # LEAK


def book(maker, gates, train, seat):
    lines = display(train, seat)
    session = maker()

    def committed(which):
        if which is session:
            gates.show(lines)

    event.listen(maker, "after_commit", committed)  # LEAK
    with session:
        session.add(Booking(train=train, seat=seat))
        session.commit()


def main():
    draw = random.Random(seed())
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    maker, gates = sessionmaker(engine, class_=Session), Gates()
    for number in arrivals(14):
        book(maker, gates, f"IC {draw.randrange(100, 900)}", draw.randrange(400))
        if number % 50 == 49:
            with maker() as session:
                session.query(Booking).delete()
                session.commit()


if __name__ == "__main__":
    main()
