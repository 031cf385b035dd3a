"""An order service that writes an audit into a table, so that support can ask by customer."""

import sqlite3

from traffic.shape import arrivals


def open_audit():
    """The table, without a file: nobody needs it tomorrow."""
    database = sqlite3.connect(":memory:")
    database.execute(
        "create table audit (number integer primary key, customer text, action text, detail text)"
    )
    database.execute("create index by_customer on audit (customer)")
    return database


def write(database, number):
    detail = f"total {number * 13 % 997}; " * 110
    database.execute("insert into audit values (?, ?, ?, ?)", (number, f"c{number % 800}", "ordered", detail))
    if number % 50 == 0:
        database.commit()


def ask(database, customer):
    (count,) = database.execute("select count(*) from audit where customer = ?", (customer,)).fetchone()
    return count


if __name__ == "__main__":
    audit = open_audit()
    for number in arrivals(170):
        write(audit, number)
        if number % 40 == 0:
            ask(audit, f"c{number % 800}")
