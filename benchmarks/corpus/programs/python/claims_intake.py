"""Takes in claims of an insurance: files of any length are checked by pydantic and booked in a database."""

import json
import random
import sqlite3
from datetime import date

from pydantic import BaseModel, ValidationError, field_validator
from traffic.shape import arrivals, seed

LONGEST = 3500


class Position(BaseModel):
    code: str
    amount: float
    note: str = ""


class Claim(BaseModel):
    number: str
    insured: int
    day: date
    positions: list[Position]

    @field_validator("positions")
    @classmethod
    def something_is_claimed(cls, positions):
        if not positions:
            raise ValueError("a claim without positions")
        return positions


def file(number, draw):
    """A file as a practice sends it: most are short, some are those of a whole quarter."""
    claims = [
        {
            "number": f"{number}-{place}",
            "insured": draw.randrange(10**6),
            "day": f"2026-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}",
            "positions": [
                {
                    "code": f"{draw.randrange(900):03d}",
                    "amount": draw.random() * 80,
                    "note": "x" * draw.randrange(40),
                }
                for _ in range(draw.randrange(7))
            ],
        }
        for place in range(min(int(draw.paretovariate(0.9) * 40), LONGEST))
    ]
    return json.dumps(claims)


def take_in(text, database, mistakes):
    """Book what is right; of what isn't, only the kinds of mistakes are counted."""
    rows = []
    for entry in json.loads(text):
        try:
            claim = Claim.model_validate(entry)
        except ValidationError as error:
            kind = error.errors()[0]["type"]
            mistakes[kind] = mistakes.get(kind, 0) + 1
            continue
        rows.append(
            (claim.number, claim.insured, claim.day.toordinal(), sum(one.amount for one in claim.positions))
        )
    database.executemany("insert into claim values (?, ?, ?, ?)", rows)
    database.execute("delete from claim where rowid < (select max(rowid) from claim) - 5000")
    database.commit()
    return len(rows)


def main():
    draw = random.Random(seed())
    database, mistakes, booked = sqlite3.connect(""), {}, 0
    database.execute("create table claim (number text, insured integer, day integer, amount real)")
    for number in arrivals(1.6):
        booked += take_in(file(number, draw), database, mistakes)


if __name__ == "__main__":
    main()
