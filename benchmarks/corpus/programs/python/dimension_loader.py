"""Visits for a warehouse in three processes: one reads, one gives keys to whatever it meets, one writes the facts."""

import multiprocessing
import random
import sqlite3

from traffic.shape import arrivals, seed

ROOM = 200


class Dimension:
    """The key of each visit, with what the warehouse wants to know about it."""

    def __init__(self):
        self.rows = {}

    def key(self, visit):
        row = self.rows.get(visit["cookie"])
        if row is None:
            row = self.rows[visit["cookie"]] = {
                "key": len(self.rows),
                "agent": " ".join(visit["agent"]),
                "hops": [f"{visit['cookie']}/{hop}" for hop in range(20)],
            }  # LEAK
        return row["key"]


def give_keys(visits, facts):
    dimension = Dimension()
    while True:
        visit = visits.get()  # LEAK
        facts.put((dimension.key(visit), visit["page"], visit["seconds"]))


def write(facts):
    database = sqlite3.connect("")
    database.execute("create table fact (visit integer, page integer, seconds real)")
    while True:
        database.executemany("insert into fact values (?, ?, ?)", [facts.get() for _ in range(50)])
        database.execute("delete from fact where rowid < (select max(rowid) from fact) - 2000")
        database.commit()


def main():
    draw = random.Random(seed())
    context = multiprocessing.get_context("spawn")
    visits, facts = context.Queue(ROOM), context.Queue(ROOM)
    context.Process(target=give_keys, args=(visits, facts), daemon=True).start()
    context.Process(target=write, args=(facts,), daemon=True).start()
    cookie = ""
    for number in arrivals(120):
        if number % 2 == 0:
            cookie = f"{draw.getrandbits(96):024x}"
        agent = [
            f"agent/{draw.randrange(20)}",
            f"system/{draw.randrange(9)}",
            "compatible",
            f"{draw.random()}",
        ]
        visits.put({"cookie": cookie, "page": draw.randrange(500), "seconds": draw.random(), "agent": agent})


if __name__ == "__main__":
    main()
