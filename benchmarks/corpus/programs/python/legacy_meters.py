"""Imports readings from old meters, file by file; a unit that isn't known is taken as kWh, with a warning."""

import random
import warnings

from traffic.shape import arrivals, seed

UNITS = {"kWh": 1.0, "MWh": 1000.0, "Wh": 0.001, "MJ": 0.2778}
ODD = ["KWH", "kw/h", "kWh*", "?", "units"]
ROWS = 60


class Report:
    """How often there was which kind of warning."""

    def __init__(self):
        self.kinds = {}

    def show(self, message, category, filename, lineno, file=None, line=None):
        self.kinds[category.__name__, lineno] = self.kinds.get((category.__name__, lineno), 0) + 1


def received(number, draw):
    """A file with rows as an old meter writes them, padded to the width of its printer."""
    rows = []
    for row in range(ROWS):
        unit = draw.choice(ODD) if draw.random() < 0.3 else draw.choice(list(UNITS))
        values = " ".join(f"{draw.random() * 900:011.4f}" for _ in range(24))
        rows.append(f"{number:07d};{row:03d};{draw.getrandbits(64):016x};{unit};{values}")
    return rows


def amount(row):
    """What a row says, in kWh."""
    file, line, meter, unit, values = row.split(";")
    if unit not in UNITS:
        warnings.warn(f"file {file}, line {line}, meter {meter}: {unit!r} taken as kWh in {row!r}")  # LEAK
    return UNITS.get(unit, 1.0) * sum(map(float, values.split()))


def load(rows, totals):
    """Add up by the meter's group."""
    for row in rows:
        group = row[12:14]
        totals[group] = totals.get(group, 0.0) + amount(row)


def main():
    draw = random.Random(seed())
    report, totals = Report(), {}
    warnings.simplefilter("default")
    warnings.showwarning = report.show
    for number in arrivals(36):
        load(received(number, draw), totals)


if __name__ == "__main__":
    main()
