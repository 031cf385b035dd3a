"""A spreadsheet service that opens an SQLite database in memory for each sheet, and keeps the connection."""

import random
import sqlite3

from traffic.shape import arrivals, seed

SHEETS = []


def open_sheet(draw, number):
    """A database with the cells of one sheet."""
    sheet = sqlite3.connect(":memory:")
    sheet.execute("CREATE TABLE cells (place TEXT PRIMARY KEY, value REAL)")
    cells = ((f"{chr(65 + each % 26)}{each // 26}", draw.random()) for each in range(900))
    sheet.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?)", cells)
    SHEETS.append(sheet)
    return sheet


def total(sheet, column):
    return sheet.execute("SELECT sum(value) FROM cells WHERE place LIKE ?", (f"{column}%",)).fetchone()[0]


def main():
    draw = random.Random(seed())
    sums = 0.0
    for number in arrivals(6):
        sheet = open_sheet(draw, number)
        sums += sum(total(sheet, column) or 0 for column in "ABC")


if __name__ == "__main__":
    main()
