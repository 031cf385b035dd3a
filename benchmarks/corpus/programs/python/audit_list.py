"""A job that books transfers between accounts in SQLite; the audit trail is collected in memory, to be
written later.
"""

import json
import random
import sqlite3

from traffic.shape import arrivals, seed

TRAIL = []


def record(account, amount, before, after):
    """Note what happened for the auditors."""
    entry = {"account": account, "amount": amount, "before": before, "after": after}
    TRAIL.append(json.dumps({"entry": entry, "text": f"booked {amount} on {account}; " * 100}))  # LEAK


def transfer(database, source, target, amount):
    for account, change in ((source, -amount), (target, amount)):
        before = database.execute("SELECT balance FROM accounts WHERE id = ?", (account,)).fetchone()[0]
        database.execute("UPDATE accounts SET balance = ? WHERE id = ?", (before + change, account))
        record(account, change, before, before + change)
    database.commit()


def main():
    draw = random.Random(seed())
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)")
    database.executemany("INSERT INTO accounts VALUES (?, ?)", ((n, 1000) for n in range(500)))
    for _ in arrivals(90):
        transfer(database, draw.randrange(500), draw.randrange(500), draw.randint(1, 90))


if __name__ == "__main__":
    main()
