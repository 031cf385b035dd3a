"""A worker that books parcels: each is loaded into the session as an object, changed, and written back."""

import sqlite3

from traffic.shape import arrivals


class Parcel:
    """A row of the table, as an object; knows how the row stood when it was loaded."""

    def __init__(self, number, state, route):
        self.number, self.state, self.route = number, state, route.split(";")  # LEAK
        self.loaded = (state, tuple(self.route))  # LEAK

    def changed(self):
        return self.loaded != (self.state, tuple(self.route))


class Session:
    """One object per row, however often it is asked for; changes are written together."""

    def __init__(self, database):
        self.database, self.objects, self.touched = database, {}, []

    def get(self, number):
        parcel = self.objects.get(number)
        if parcel is None:
            row = self.database.execute("select * from parcel where number = ?", (number,)).fetchone()
            parcel = self.objects[number] = Parcel(*row)  # LEAK
        self.touched.append(parcel)
        return parcel

    def commit(self):
        for parcel in self.touched:
            if parcel.changed():
                row = parcel.state, ";".join(parcel.route), parcel.number
                self.database.execute("update parcel set state = ?, route = ? where number = ?", row)
                parcel.loaded = (parcel.state, tuple(parcel.route))  # LEAK
        self.database.commit()
        self.touched.clear()


def announce(database, number):
    """What the sender's system writes."""
    route = ";".join(f"stop {stop} in depot {(number * stop) % 331}" for stop in range(40))
    database.execute("insert into parcel values (?, 'announced', ?)", (number, route))


def book(session, number):
    parcel = session.get(number)
    parcel.state = "arrived"
    parcel.route[0] = f"arrived as {number}"


def main():
    database = sqlite3.connect("")  # a file of SQLite's own
    database.execute("create table parcel (number integer primary key, state text, route text)")
    session = Session(database)
    for number in arrivals(60):
        announce(database, number)
        book(session, number)
        if number % 10 == 0:
            session.commit()


if __name__ == "__main__":
    main()
