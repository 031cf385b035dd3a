"""A reader of an SQLite file with a page cache of 24 MB, which fills with the pages that queries touch."""

import os
import random
import sqlite3
import tempfile

from traffic.shape import arrivals, seed


def make_database(path):
    """Sixty megabytes of letters."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("CREATE TABLE letters (id INTEGER PRIMARY KEY, body BLOB)")
    draw = random.Random(9)
    database.executemany(
        "INSERT INTO letters VALUES (?, ?)", ((n, draw.randbytes(1500) * 2) for n in range(20_000))
    )
    database.commit()
    database.close()


def main():
    draw = random.Random(seed())
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "letters.db")
        make_database(path)
        database = sqlite3.connect(path)
        database.execute("PRAGMA cache_size = -24000")
        read = 0
        for _ in arrivals(120):
            row = database.execute(
                "SELECT body FROM letters WHERE id = ?", (draw.randrange(20_000),)
            ).fetchone()
            read += len(row[0])


if __name__ == "__main__":
    main()
