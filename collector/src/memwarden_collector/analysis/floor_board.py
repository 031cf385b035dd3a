"""The lowest memory of many containers over the last hour, day and week, as the screen reads it. No I/O.

Three tables, a row a container: fine steps of some intervals, steps of ten minutes, steps of an hour. A value only ever
lowers what is there, so that samples may come late, twice and in any order.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memwarden_core.recording import FloatArray, IntArray

FINE: Final = 64
FINE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Span:
    """A longer time, in steps as rollups have them."""

    columns: int
    seconds: float

    @property
    def whole(self) -> float:
        """In seconds."""
        return self.columns * self.seconds

    def overlap(self, seconds: float) -> int:
        """So many of the last steps may have something of the last so many seconds."""
        return math.ceil(seconds / self.seconds) + 1


DAY: Final = Span(144, 600.0)
WEEK: Final = Span(168, 3600.0)
SPANS: Final = (DAY, WEEK)
_LEAST_SECONDS: Final = 5.0
_ROWS: Final = 256


def fine_seconds(interval: float, every_intervals: float) -> float:
    """Width of a fine step: what passes between two judgements, not more than a minute."""
    return min(FINE_SECONDS, max(_LEAST_SECONDS, interval * every_intervals))


class _Ring:
    """Columns go round: that of step s is s modulo their number; `newest` is the last step of each row."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.values: FloatArray = np.full((0, columns), np.nan)
        self.newest: IntArray = np.zeros(0, dtype=np.int64)

    def grow(self, rows: int) -> None:
        more = rows - len(self.values)
        self.values = np.concatenate((self.values, np.full((more, self.columns), np.nan)))
        self.newest = np.concatenate((self.newest, np.full(more, -1, dtype=np.int64)))

    def clear(self, row: int) -> None:
        self.values[row] = np.nan
        self.newest[row] = -1

    def lower(self, rows: IntArray, steps: IntArray, values: FloatArray) -> None:
        """Rows may come more than once."""
        touched = np.unique(rows)
        last = np.full(len(self.newest), -1, dtype=np.int64)
        np.maximum.at(last, rows, steps)
        self._advance(touched, last[touched])
        seen = steps > self.newest[rows] - self.columns
        places = rows[seen] * self.columns + steps[seen] % self.columns
        flat = self.values.reshape(-1)
        np.fmin.at(flat, places, values[seen])

    def _advance(self, rows: IntArray, to: IntArray) -> None:
        """Columns that are used again are emptied."""
        before = self.newest[rows]
        gone = np.minimum(to - before, self.columns)
        for place in np.flatnonzero(gone > 0):
            row, steps = rows[place], gone[place]
            columns = np.arange(to[place] - steps + 1, to[place] + 1) % self.columns
            self.values[row, columns] = np.nan
        self.newest[rows] = np.maximum(before, to)

    def ordered(self, rows: IntArray) -> FloatArray:
        """A copy, the oldest step first."""
        order = (self.newest[rows, None] + 1 + np.arange(self.columns)) % self.columns
        found: FloatArray = np.take_along_axis(self.values[rows], order, axis=1)
        return found


class FloorBoard:
    """Rows are given out and taken back; for one thread."""

    def __init__(self) -> None:
        self._fine = _Ring(FINE)
        self._longer = {span: _Ring(span.columns) for span in SPANS}
        self._widths: FloatArray = np.zeros(0)
        self._free: list[int] = []

    def add(self, width: float) -> int:
        """An empty row whose fine steps are so many seconds wide."""
        if not self._free:
            count = len(self._widths)
            rows = max(_ROWS, 2 * count)
            for ring in self._rings():
                ring.grow(rows)
            self._widths = np.concatenate((self._widths, np.zeros(rows - count)))
            self._free = list(range(rows - 1, count - 1, -1))
        row = self._free.pop()
        self._widths[row] = width
        for ring in self._rings():
            ring.clear(row)
        return row

    def remove(self, row: int) -> None:
        self._free.append(row)

    def note(self, rows: IntArray, times: FloatArray, values: FloatArray) -> None:
        """Samples, in any order; NaN says nothing."""
        known = np.isfinite(values)
        if not known.all():
            rows, times, values = rows[known], times[known], values[known]
        if rows.size:
            self._fine.lower(rows, np.floor(times / self._widths[rows]).astype(np.int64), values)
            for span in SPANS:
                self.note_floors(span, rows, times, values)

    def note_floors(self, span: Span, rows: IntArray, times: FloatArray, values: FloatArray) -> None:
        """Lowest values of steps of this span, for it alone."""
        known = np.isfinite(values)
        if known.any():
            steps = np.floor(times[known] / span.seconds).astype(np.int64)
            self._longer[span].lower(rows[known], steps, values[known])

    def fine(self, rows: IntArray) -> FloatArray:
        return self._fine.ordered(rows)

    def longer(self, span: Span, rows: IntArray) -> FloatArray:
        return self._longer[span].ordered(rows)

    def _rings(self) -> tuple[_Ring, ...]:
        return (self._fine, *self._longer.values())


def as_rows(rows: list[int]) -> NDArray[np.int64]:
    return np.asarray(rows, dtype=np.int64)
