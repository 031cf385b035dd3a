"""Imports files of contracts: a session holds the objects of a file, to be written together when the file ends."""

import random
import sqlite3

from traffic.shape import arrivals, seed


class Contract:
    """A row, as an object."""

    def __init__(self, number, draw):
        self.number = number
        self.customer = f"customer-{draw.randrange(9000)}"
        self.clauses = [f"clause {place} of {number}: {draw.getrandbits(40):x}" for place in range(40)]


class Session:
    """One object per row, until it is written."""

    def __init__(self, database):
        self.database, self.objects = database, {}

    def add(self, contract):
        self.objects[contract.number] = contract

    def write(self):
        rows = [(each.number % 500, each.customer, len(each.clauses)) for each in self.objects.values()]
        self.database.executemany("insert or replace into contract values (?, ?, ?)", rows)
        self.database.commit()
        self.objects.clear()


def main():
    draw = random.Random(seed())
    database = sqlite3.connect(":memory:")
    database.execute("create table contract (place integer primary key, customer text, clauses integer)")
    session, left = Session(database), draw.randint(300, 4000)
    for number in arrivals(140):
        session.add(Contract(number, draw))
        left -= 1
        if not left:
            session.write()
            left = draw.randint(300, 4000)


if __name__ == "__main__":
    main()
